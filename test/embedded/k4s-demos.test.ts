import { chdir, cwd } from 'node:process'
import t from 'tap'
import { list, suite } from '../../extender/embedded/demos/list.ts'

t.setTimeout(60_000)

const shares = (...names: readonly string[]) => new RegExp(`: +${names.map(name => `${name} × \\d+`).join(', ')}$`, 'm')

/** What each demo is for, and what it must have shown. */
const want: Record<string, { readonly demo: string; readonly shows: readonly (string | RegExp)[] }> = {
  'S4.26 simple service': { demo: 'simple-service', shows: ['  you said: hello', /^its log: .*echo hello$/m] },
  'S4.27 replicated, with load balancing': {
    demo: 'load-balancing',
    shows: [/^60 requests went to/m, shares('who-0', 'who-1', 'who-2')]
  },
  'S4.28 dynamic scaling': {
    demo: 'scaling',
    shows: [shares('who-0'), shares('who-0', 'who-1', 'who-2', 'who-3'), /^2 replicas: who-0 × \d+, who-1 × \d+$/m]
  },
  'S4.29 processing pipeline': { demo: 'pipeline', shows: ['in:  "  hello "', 'out: OLLEH, GNAG, GNILUDEHCS'] },
  'S4.30 request and response': {
    demo: 'request-response',
    shows: ['2 add 3 = 5', '1 divide 0: Error: division by zero', 'by name, without the service: 42']
  },
  'S4.31 batch aggregation and windowing': {
    demo: 'aggregation',
    shows: ['batch of 4: sum 10', 'batch of 4: sum 26', 'batch of 2: sum 19']
  },
  'S4.32 messages that come by themselves': {
    demo: 'schedule',
    shows: ['tick 1, tick 2, tick 3, tick 4, tick 5', 'sent 5 messages to sink']
  },
  'S4.7 self-healing': { demo: 'self-healing', shows: [/started again \(restarts: 1\)/, 'is back: hello'] },
  'S4.46 the step-by-step example': {
    demo: 'step-by-step',
    shows: [/^1\. /m, /^8\. /m, '→ hello, world', 'ReplicaSet who created', 'Container hello unchanged']
  }
}

for (const [name, { demo, shows }] of Object.entries(want))
  t.test(name, async t => {
    const before = cwd()
    t.teardown(() => chdir(before))
    chdir(t.testdir())
    const lines: string[] = []
    await list()
      .find(each => each.name === demo)!
      .run(line => lines.push(line))
    const output = lines.join('\n')
    for (const text of shows) t.match(output, text)
  })

t.test('S4.45 the suite has all of these but the step-by-step example', async t => {
  t.strictSame(
    list().map(({ name }) => name),
    Object.values(want).map(({ demo }) => demo)
  )
  t.strictSame(
    suite.map(({ name }) => name),
    Object.values(want)
      .map(({ demo }) => demo)
      .slice(0, -1)
  )
  t.ok(suite.length >= 7)
})
