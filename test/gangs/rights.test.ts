import t from 'tap'
import type { NodeBuilder, PodBuilder } from '../builders.ts'
import { nodes, pod, pods } from '../builders.ts'
import { harness } from './harness.ts'

const oneSlot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const gang = (name: string, size: number): PodBuilder[] =>
  pods(size, name, each => each.gang(name, size).priority(10).cpu(1000).gated())
const low = (name: string, on: string, namespace = 'ns'): PodBuilder =>
  pod(name).priority(1).cpu(1000).on(on).with({ startedAt: 1_000_000_000, namespace })

t.test('without the right to take gates away a gated gang holds nothing and says why', async t => {
  const said: string[] = []
  const log = { info: () => {}, warn: (_: object, message: string) => void said.push(message), error: () => {} }
  const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: gang('g', 2), log })
  h.api.fault = ({ verb }) => (verb === 'ungate' ? 'forbidden' : 'none')
  await h.run(5_000)
  const why =
    'muster has no right to take the gate muster.dev/gang away in namespace ns, which manifests/components/gates gives'
  t.match(h.gang('g'), { state: 'waiting', reason: why })
  t.strictSame(h.held, [], 'its room is for others')
  t.ok(h.notices.some(({ reason, note }) => reason === 'GangWaiting' && note === `gang g: ${why}`))
  t.equal(said.filter(message => message === why).length, 1)
  const tries = h.api.written('ungate').length
  await h.run(20_000)
  t.equal(h.api.written('ungate').length, tries, 'and it does not try again at once')
  await h.run(300_000)
  t.ok(h.api.written('ungate').length <= tries + 8, 'but less and less often')
  h.api.fault = () => 'none'
  await h.run(600_000)
  t.equal(h.gang('g').state, 'running', 'once it has the right, it goes on by itself')
})

t.test('what is ungated already needs no such right', async t => {
  const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: pods(2, 'g', each => each.gang('g', 2).cpu(1000)) })
  h.api.fault = ({ verb }) => (verb === 'ungate' ? 'forbidden' : 'none')
  await h.run(10_000)
  t.equal(h.gang('g').state, 'running')
})

t.test('without the right to evict one attempt is enough, and the gang says why', async t => {
  const h = harness({ nodes: nodes(4, 'n', oneSlot), pods: [0, 1, 2, 3].map(i => low(`low-${i}`, `n-${i}`)) })
  h.api.fault = ({ verb }) => (verb === 'evict' ? 'forbidden' : 'none')
  for (const each of gang('g', 2)) h.api.setPod(each.obj())
  await h.run(20_000)
  t.ok(h.api.written('evict').length <= 2, 'nobody else is tried')
  t.match(h.gang('g'), {
    state: 'waiting',
    reason: /muster has no right to evict pods in namespace ns, which manifests/
  })
  t.strictSame(h.held, [])
  h.api.fault = () => 'none'
  await h.run(60_000)
  t.equal(h.gang('g').state, 'running')
})

t.test('a gang that was to be ended whole is left as it was, without a mark', async t => {
  const running = [0, 1].map(i => low(`v-${i}`, `n-${i}`).gang('v', 2))
  const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: running })
  h.api.fault = ({ verb }) => (verb === 'evict' ? 'forbidden' : 'none')
  for (const each of gang('g', 2)) h.api.setPod(each.obj())
  await h.run(10_000)
  t.match(h.gang('v').state, 'running')
  t.equal(h.api.written('mark').length, 2, 'marked, and unmarked again')
  t.strictSame(
    [...h.api.pods.values()].filter(({ annotations }) => annotations.has('muster.dev/ending')),
    []
  )
  t.match(h.gang('g'), { state: 'waiting', reason: /muster has no right to evict pods in namespace ns/ })
  h.api.fault = () => 'none'
  await h.run(60_000)
  t.equal(h.gang('g').state, 'running')
})

t.test('a right that is missing in one namespace is not missing in another', async t => {
  const running = [low('kept', 'n-0', 'closed'), low('free', 'n-1')]
  const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: running })
  h.api.fault = ({ verb, pod: name }) => (verb === 'evict' && name === 'kept' ? 'forbidden' : 'none')
  h.api.setPod(pod('first').gang('first', 1).priority(10).cpu(1000).gated().obj())
  h.api.setPod(pod('second').gang('second', 1).priority(10).cpu(1000).gated().obj())
  await h.run(20_000)
  t.strictSame(
    [...h.api.pods.values()].map(({ name }) => name).toSorted(),
    ['first', 'kept', 'second'],
    'whoever may be evicted has been'
  )
  t.match([h.gang('first'), h.gang('second')].map(({ state }) => state).toSorted(), ['running', 'waiting'])
})
