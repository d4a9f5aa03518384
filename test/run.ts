/**
 * `npm test`: every check, then every test, then one line `N passed, N failed, N skipped` that counts both and agrees
 * with the exit code. With test files or folders as arguments: only those tests. `--coverage`: only the tests, with an
 * HTML report in coverage/.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, readFile, rm } from 'node:fs/promises'
import { CommandLine } from './command-line.ts'

type Tally = { passed: number; failed: number; skipped: number }

const checks = {
  lint: ['oxlint'],
  format: ['biome', 'format'],
  'types of everything': ['tsc'],
  'types of policies, without node': ['tsc', '-p', 'policies'],
  'unused files, exports, dependencies': ['knip', '--no-progress']
}
const htmlReport = ['--no-disable-coverage', '--coverage-report=html', '--no-browser']

const command = new CommandLine('test', 'usage: npm test [-- FILE...]; npm run coverage [-- FILE...]\n')
const { values, positionals } = command.read({ coverage: { type: 'boolean' } })
const total: Tally = { passed: 0, failed: 0, skipped: 0 }

await prepareTap()
if (positionals.length === 0 && !values.coverage)
  for (const [name, command] of Object.entries(checks)) await check(name, command)
await test([...positionals, ...(values.coverage ? htmlReport : [])])
if (values.coverage) await publishReport()

const { passed, failed, skipped } = total
process.exitCode = failed === 0 ? 0 : 1
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)

async function check(name: string, command: readonly string[]): Promise<void> {
  const start = performance.now()
  const code = await exit(run(command, 'inherit'))
  total[code === 0 ? 'passed' : 'failed']++
  say(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

/** Runs tap; its reporter's last line is the tally. Nothing run, or an exit code that disagrees, is a failure. */
async function test(args: readonly string[]): Promise<void> {
  const tap = run(['tap', ...args], 'pipe')
  let output = ''
  tap.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk)
    output = (output + chunk).slice(-1000)
  })
  const code = await exit(tap)
  const [, passed = 0, failed = 0, skipped = 0] =
    /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(output)?.map(Number) ?? []
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
  if (passed + failed === 0) fail('no test was run')
  else if (code !== 0 && failed === 0) fail(`tap ended with ${code} although no test failed`)
}

/** A fresh install of tap has its TypeScript plugin built in, which crashes under TypeScript 7: builds it anew once. */
async function prepareTap(): Promise<void> {
  const built = await readFile('node_modules/@tapjs/test/test-built/src/index.ts', 'utf8').catch(() => '')
  if (built !== '' && !built.includes('@tapjs/typescript')) return
  if ((await exit(run(['tap', 'build'], 'inherit'))) !== 0) fail('tap could not be built')
}

async function publishReport(): Promise<void> {
  await rm('coverage', { recursive: true, force: true })
  await cp('.tap/report', 'coverage', { recursive: true }).then(
    () => say('coverage/index.html is written'),
    (error: Error) => fail(`no coverage report: ${error.message}`)
  )
}

function run([command = '', ...args]: readonly string[], stdout: 'inherit' | 'pipe'): ChildProcess {
  return spawn(command, args, { stdio: ['ignore', stdout, 'inherit'] })
}

function exit(child: ChildProcess): Promise<number | string> {
  return new Promise(resolve => {
    child.on('error', error => resolve(error.message))
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'nothing'))
  })
}

function fail(why: string): void {
  total.failed++
  say(`FAIL ${why}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
