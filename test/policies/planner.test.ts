import t from 'tap'
import type { FilterPlugin } from '../../policies/framework.ts'
import { muster } from '../../policies/index.ts'
import { plan } from '../../policies/planner.ts'
import type { Snapshot } from '../../policies/snapshot.ts'
import { node, nodes, type PodBuilder, pod, pods, snapshot } from '../builders.ts'

const none = new Map<string, ReadonlySet<string>>()
const ask = (cluster: Snapshot, gang: readonly PodBuilder[], need = gang.length, refused = none, profile = muster) =>
  plan(cluster, { pods: gang.map(each => each.obj()), need, refused }, profile)
const shown = (answer: ReturnType<typeof ask>) =>
  answer.outcome === 'planned' ? Object.fromEntries(answer.nodes) : `${answer.outcome}: ${answer.message}`

const four = snapshot(nodes(4))
const half = snapshot(nodes(4), [pod('busy').cpu(2000).on('n-2')])
const big = (name: string) => pod(name).cpu(3000)
const small = (name: string) => pod(name).cpu(1000)
const [key] = [pod('x').cpu(1000).obj().shape.key]

const cases: Record<string, { readonly answer: ReturnType<typeof ask>; readonly want: unknown }> = {
  'a gang that fits goes to the fewest nodes': {
    answer: ask(
      four,
      pods(4, 'a', one => one.cpu(1000))
    ),
    want: { 'ns/a-0': 'n-0', 'ns/a-1': 'n-0', 'ns/a-2': 'n-0', 'ns/a-3': 'n-0' }
  },
  'the fullest node that still fits comes first': {
    answer: ask(
      half,
      pods(3, 'a', one => one.cpu(1000))
    ),
    want: { 'ns/a-0': 'n-2', 'ns/a-1': 'n-2', 'ns/a-2': 'n-0' }
  },
  'large members come first, so that small ones fill the gaps': {
    answer: ask(snapshot(nodes(2)), [small('a'), small('b'), big('c'), big('d')]),
    want: { 'ns/c': 'n-0', 'ns/d': 'n-1', 'ns/a': 'n-0', 'ns/b': 'n-1' }
  },
  'one member too many and nobody is placed': {
    answer: ask(
      four,
      pods(5, 'a', one => one.cpu(3000))
    ),
    want: 'infeasible: 4 of 5 members fit; member ns/a-4 finds no node among 4: 4 Insufficient cpu'
  },
  'surplus members take what is left, earlier ones first': {
    answer: ask(
      snapshot(nodes(2)),
      pods(3, 'a', one => one.cpu(3000)),
      1
    ),
    want: { 'ns/a-0': 'n-0', 'ns/a-1': 'n-1' }
  },
  'earlier members are preferred to others that would leave more room': {
    answer: ask(snapshot(nodes(1)), [big('a'), small('b'), small('c')], 1),
    want: { 'ns/a': 'n-0', 'ns/b': 'n-0' }
  },
  'but the quorum comes before preference': {
    answer: ask(snapshot(nodes(1)), [big('a'), pod('b').cpu(2000), pod('c').cpu(2000)], 2),
    want: { 'ns/b': 'n-0', 'ns/c': 'n-0' }
  },
  'nothing needed and no room: an empty plan': { answer: ask(four, [pod('a').cpu(9000)], 0), want: {} },
  'nobody to place: an empty plan': { answer: ask(four, [], 0), want: {} },
  'a quorum of more members than there are': {
    answer: ask(four, [small('a')], 3),
    want: 'infeasible: 1 of 3 members fit; only 1 members wait for a node'
  },
  'no node at all': {
    answer: ask(snapshot([]), [small('a')]),
    want: 'infeasible: 0 of 1 members fit; member ns/a finds no node among 0'
  },
  'every node is counted with its first reason, frequent ones first': {
    answer: ask(snapshot([...nodes(3), node('t').taint('k'), node('u').cordoned(), node('v').cpu(8).maxPods(0)]), [
      pod('a').cpu(5000)
    ]),
    want:
      'infeasible: 0 of 1 members fit; member ns/a finds no node among 6: 3 Insufficient cpu, 1 Too many pods, ' +
      '1 node(s) had untolerated taint(s), 1 node(s) were unschedulable'
  },
  'nodes that kube-scheduler refused are passed over': {
    answer: ask(four, [small('a')], 1, new Map([[key, new Set(['n-0', 'n-1'])]])),
    want: { 'ns/a': 'n-2' }
  },
  'and stay refused once another member is there': {
    answer: ask(snapshot(nodes(1)), [pod('a').cpu(2000), small('b')], 2, new Map([[key, new Set(['n-0'])]])),
    want: 'infeasible: 1 of 2 members fit; member ns/b finds no node among 1: 1 node(s) refused by kube-scheduler'
  },
  'host ports of one gang keep its members apart': {
    answer: ask(
      four,
      pods(2, 'a', one => one.port(80))
    ),
    want: { 'ns/a-0': 'n-0', 'ns/a-1': 'n-1' }
  },
  'a mixture that best fit misses is found': {
    answer: ask(
      snapshot([node('a').cpu(10), node('b').cpu(9)]),
      [6, 5, 4, 4].map((cpu, index) => pod(`p${index}`).cpu(cpu * 1000))
    ),
    want: { 'ns/p0': 'a', 'ns/p3': 'a', 'ns/p1': 'b', 'ns/p2': 'b' }
  },
  'a mixture that no order fits is refused': {
    answer: ask(snapshot(nodes(2)), [big('a'), big('b'), pod('c').cpu(2000)]),
    want: 'infeasible: 2 of 3 members fit; member ns/c finds no node among 2: 2 Insufficient cpu'
  }
}
for (const [name, { answer, want }] of Object.entries(cases)) {
  t.test(name, async t => t.strictSame(shown(answer), want))
}

t.test('a profile may ask for more than amounts: one member per node', async t => {
  const alone = {
    name: 'Alone',
    filter: (_, info) =>
      info.pods.length > 0 ? { code: 'Unschedulable', reason: 'node(s) in use' } : { code: 'Success' }
  } satisfies FilterPlugin
  const profile = { ...muster, name: 'alone', filters: [alone] }
  const gang = [...pods(2, 'a'), ...pods(2, 'b', one => one.cpu(9000))]
  t.equal(ask(half, gang.slice(0, 3), 3, none, profile).outcome, 'planned')
  t.equal(
    shown(ask(half, gang, 4, none, profile)),
    'infeasible: 3 of 4 members fit; member ns/a-1 finds no node among 4: 4 node(s) in use'
  )
})

t.test('asks once per shape and node, and for each member placed', async t => {
  let asked = 0
  const counting = { name: 'Counting', filter: () => (asked++, { code: 'Success' as const }) } satisfies FilterPlugin
  const profile = { ...muster, name: 'counting', filters: [...muster.filters, counting] }
  ask(
    snapshot(nodes(100)),
    pods(50, 'a', one => one.cpu(1000)),
    50,
    none,
    profile
  )
  t.ok(asked <= 150, `${asked} times`)
})

t.test('an endless mixture ends in a bounded time', async t => {
  // Odd sizes that nearly fill: too many ways to rule out, and 40 shapes are not searched at all.
  for (const count of [30, 40]) {
    const gang = Array.from({ length: count }, (_, index) => pod(`p${index}`).cpu(1001 + 37 * index))
    const total = gang.reduce((sum, one) => sum + one.obj().shape.requests.get('cpu')!, 0)
    const cluster = snapshot(nodes(10, 'n', one => one.allocatable('cpu', Math.ceil(total / 10))))
    const answer = ask(cluster, gang)
    t.not(answer.outcome, 'infeasible')
  }
})
