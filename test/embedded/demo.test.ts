import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Row, View } from '../../extender/cli/demo/view.ts'

t.setTimeout(300_000)

const demo = fileURLToPath(new URL('../../extender/cli/demo.ts', import.meta.url))
const names = [
  ...['gang', 'explanation', 'preemption', 'simple-service', 'load-balancing', 'scaling', 'pipeline'],
  ...['request-response', 'aggregation', 'schedule', 'self-healing', 'step-by-step']
]

/** Runs `npm run demo` with arguments; `during` may look at what it prints and end it. */
function run(args: readonly string[], during: (output: string, end: () => void) => void = () => {}) {
  return new Promise<{ code: number | null; output: string }>(resolve => {
    const child = spawn(process.execPath, [demo, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: tmpdir() })
    t.teardown(() => child.kill())
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
        during(output, () => child.kill('SIGINT'))
      })
    child.once('close', code => resolve({ code, output }))
  })
}

t.test('S4.45 S4.50 S4.53 one command shows all of it, needs nothing installed, and then it ends', async t => {
  const { code, output } = await run([])
  t.equal(code, 0, output)
  for (const name of names.slice(0, -1)) t.match(output, new RegExp(`^${name}: `, 'm'))
  t.match(output, /^ {2}render-5-\S+ +Running +node-\d$/m, 'all six renderers run')
  t.match(output, /^ {2}train-0-\S+ +gated$/m, 'no trainer was let go')
  t.match(output, /^default\/train-0-\S+: gang train is waiting: 2 of 4 members fit/m, 'muster explains it')
  t.match(output, /^ {2}train-3-\S+ +Running +node-\d$/m, 'they go when the renderers have gone')
  t.match(output, /^That was all, in \d+\.\d s\.$/m)
  t.notMatch(output, '\u001b', 'no colours where nobody sees them')
})

t.test('S4.53 each alone, the step-by-step example, too', async t => {
  for (const name of names) {
    const { code, output } = await run([name])
    t.equal(code, 0, output)
    t.strictSame(
      names.filter(each => new RegExp(`^${each}: `, 'm').test(output)),
      [name]
    )
  }
})

t.test('--list names them', async t => {
  const { code, output } = await run(['--list'])
  t.equal(code, 0)
  t.strictSame(
    output
      .trimEnd()
      .split('\n')
      .map(line => line.split(' ')[0]),
    names
  )
})

t.test('what is asked for and is not there', async t => {
  const table = {
    nonsense: /^demo: there is no demo "nonsense"; known are gang, /,
    '--nonsense': /^demo: Unknown option '--nonsense'; see --help/
  }
  for (const [argument, want] of Object.entries(table)) {
    const { code, output } = await run([argument])
    t.equal(code, 2)
    t.match(output, want)
  }
})

t.test('--keep stays until Ctrl-C, with a kubeconfig that works', async t => {
  let kubeconfig = ''
  const { code, output } = await run(['gang', '--keep'], (output, end) => {
    const file = /KUBECONFIG=(\S+) MUSTER_SERVER=http:\/\/127\.0\.0\.1:\d+$/m.exec(output)?.[1]
    if (file === undefined || !output.includes('Ctrl-C ends it.') || kubeconfig !== '') return
    kubeconfig = readFileSync(file, 'utf8')
    end()
  })
  t.equal(code, 0, output)
  t.match(output, /^The cluster stays up at https:\/\/127\.0\.0\.1:\d+, /m)
  t.match(kubeconfig, 'certificate-authority-data')
})

t.test('a terminal is redrawn in place, anything else gets what changed', async t => {
  const states: readonly Row[][] = [
    [
      { key: 'a', text: 'a waits' },
      { key: 'b', text: 'b waits' }
    ],
    [
      { key: 'a', text: 'a runs' },
      { key: 'b', text: 'b waits, and this line is longer than the screen' }
    ]
  ]
  const table = {
    terminal: { isTTY: true, want: 'a waits\nb waits\n\r\u001b[2A\u001b[Ja runs\nb waits, and th…\n' },
    pipe: { isTTY: false, want: 'a waits\nb waits\na runs\nb waits, and this line is longer than the screen\n' }
  }
  for (const [name, { isTTY, want }] of Object.entries(table)) {
    let [written, turn] = ['', -1]
    const view = new View({ isTTY, columns: 17, write: text => (written += text) })
    await view.watch(
      () => states[Math.min(turn, 1)] ?? [],
      () => turn++ >= 2
    )
    t.equal(written, want, name)
  }
  const view = new View({ write: () => {} })
  await t.rejects(
    view.watch(
      () => [],
      () => false,
      { ms: 1, tooLate: 'no pods' }
    ),
    { message: 'no pods (for 0.001 s)' }
  )
})
