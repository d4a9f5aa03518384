import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')
const cwd = join(root, 'extender/sandboxes/proto')
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` }

const filesIn = (folder: string) =>
  new Map(globSync('**/*.{js,ts}', { cwd: folder }).map(file => [file, readFileSync(join(folder, file), 'utf8')]))

t.test('S1.11 the protocol keeps the rules of Buf', async t => {
  const { stdout } = await run('buf', ['lint'], { cwd, env })
  t.equal(stdout, '')
  const formatted = await run('buf', ['format', '--diff'], { cwd, env })
  t.equal(formatted.stdout, '')
})

t.test('S1.17 generating the code anew changes nothing', async t => {
  const out = t.testdir({})
  await run('buf', ['generate', '--output', out], { cwd, env })
  const [made, kept] = [filesIn(join(out, 'generated')), filesIn(join(cwd, 'generated'))]
  t.ok(made.size >= 8, `${made.size} files`)
  t.strictSame([...made.keys()].toSorted(), [...kept.keys()].toSorted())
  for (const [file, text] of made) t.ok(text === kept.get(file), `${file} is as generated`)
})

t.test('S1.17 make proto does just that', async t => {
  const { stdout } = await run('make', ['-n', '-C', root, 'proto'])
  t.match(stdout, /cd extender\/sandboxes\/proto && .*buf lint && buf generate/)
})
