import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

t.test('S3.51 S3.77 npm run coverage runs tests and writes an HTML report to coverage/', async t => {
  // A project of one file, with this one's commands: the report on everything would run everything.
  const dir = mkdtempSync(join(tmpdir(), 'muster-coverage-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, 'test'))
  for (const file of ['package.json', '.taprc', 'test/run.ts', 'test/command-line.ts', 'test/reporter.ts'])
    cpSync(join(root, file), join(dir, file))
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  writeFileSync(join(dir, 'half.ts'), 'export const half = (n: number): number => n / 2\n')
  writeFileSync(
    join(dir, 'test', 'half.test.ts'),
    "import t from 'tap'\nimport { half } from '../half.ts'\nt.equal(half(4), 2)\n"
  )
  // Not as a part of the run that this test is in.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TAP|_TAPJS|NODE_OPTIONS)/.test(name))
  )
  const { stdout } = await run('npm', ['run', 'coverage'], { cwd: dir, env })
  t.match(stdout, /\n1 passed, 0 failed, 0 skipped\n$/)
  t.match(stdout, /^coverage\/index\.html is written$/m)
  t.match(readFileSync(join(dir, 'coverage', 'index.html'), 'utf8'), /half\.ts/)
  t.ok(existsSync(join(dir, 'coverage', 'half.ts.html')))
})
