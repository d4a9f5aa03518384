import t from 'tap'
import { pinnedNode } from '../../policies/pin.ts'
import { node, nodes, pod, type PodBuilder, pods } from '../builders.ts'
import { type Harness, harness } from './harness.ts'

const slots = nodes(4, 'n', each => each.cpu(1))
const member = (each: PodBuilder, size = 3): PodBuilder =>
  each.gang('g', size).cpu(1000).priority(10).annotation('muster.dev/pin', 'true')
const gated = (size: number): PodBuilder[] => pods(size, 'g', each => member(each, size).gated())
const runs = (name: string, on: string, graceMs: number): PodBuilder =>
  pod(name).cpu(1000).on(on).with({ startedAt: 1_000_000_000, graceMs })

/** Members and the nodes that they are pinned to, as `pod@node`, sorted. */
function pinned(h: Harness): string[] {
  const all = [...h.api.pods.values()].map(each => ({ name: each.name, on: pinnedNode(each) }))
  return all.flatMap(({ name, on }) => (on === undefined ? [] : `${name}@${on}`)).toSorted()
}

const verbs = (h: Harness): string[] => h.api.writes.map(({ verb }) => verb)

t.test('a pinned gang costs two writes a member: one pin, one binding, and no nomination', async t => {
  const h = harness({ nodes: slots, pods: gated(3) })
  await h.run(5_000)
  t.strictSame(h.bound, ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
  t.strictSame(verbs(h), ['pin', 'pin', 'pin', 'bind', 'bind', 'bind'])
  t.strictSame(h.api.written('pin'), h.bound, 'each to its own node')
  t.strictSame(h.scheduler?.filtered.toSorted(), ['g-0', 'g-1', 'g-2'], 'and one filter call')
  t.notOk(h.notices.some(({ reason }) => reason === 'AnnotationNotActive'))
})

t.test('nobody is pinned before all have left whose room the plan takes, and then all are', async t => {
  const victims = [runs('a', 'n-0', 2_000), runs('b', 'n-1', 10_000)].map(each => each.priority(1))
  const h = harness({ nodes: slots.slice(0, 3), pods: [...victims, ...gated(3)] })
  await h.run(8_000)
  t.strictSame([verbs(h), h.held.length], [['evict', 'evict'], 3], 'one of the two has left')
  await h.run(10_000)
  t.strictSame(h.bound, ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
  t.strictSame([h.api.written('pin').length, h.api.written('nominate')], [3, []])
})

t.test('members that are not gated by muster are nominated as ever', async t => {
  const h = harness({ nodes: slots, pods: [member(pod('g-0')), ...gated(3).slice(1)] })
  await h.run(5_000)
  t.equal(h.bound.length, 3)
  t.strictSame([h.api.written('nominate').length, h.api.written('pin').length], [1, 2])
})

t.test('what the owner asked for stays, and the pin besides', async t => {
  const zone = { key: 'zone', operator: 'In', values: ['b'] }
  const other = { key: 'zone', operator: 'In', values: ['c'] }
  const zoned = ['a', 'b', 'b'].map((name, index) => node(`n-${index}`).cpu(1).label('zone', name))
  const h = harness({ nodes: zoned, pods: gated(2).map(each => each.require(zone).require(other)) })
  await h.run(5_000)
  t.strictSame(h.bound, ['g-0@n-1', 'g-1@n-2'])
  const pin = { key: 'metadata.name', operator: 'In', values: ['n-1'] }
  t.strictSame(h.pod('g-0').shape.affinity, [
    { matchExpressions: [zone], matchFields: [pin] },
    { matchExpressions: [other], matchFields: [pin] }
  ])
})

t.test('killed at any moment of its start, a pinned gang comes to stand whole, without a nomination', async t => {
  const ends = new Set<string>()
  for (let at = 0; at <= 60; at += 1) {
    const h = harness({ nodes: slots, pods: gated(3), concurrency: 1 })
    await h.run(at)
    h.kill()
    ends.add(`${pinned(h).length} pinned, ${h.bound.length} bound`)
    await h.run(at % 7 === 0 ? 3_000 : 1)
    h.start()
    await h.run(60_000)
    const end = [h.bound.length, h.held, h.nominated, h.violations, h.api.written('nominate')]
    t.strictSame(end, [3, [], [], [], []], `killed after ${at} ms`)
    t.strictSame(h.bound, pinned(h), 'each where it is pinned')
  }
  for (const some of ['1 pinned, 0 bound', '2 pinned, 0 bound', '3 pinned, 0 bound', '3 pinned, 3 bound'])
    t.ok(ends.has(some), `killed with ${some}`)
})

/** Planned, and of its members only g-0 is pinned. */
async function halfPinned(nodeCount: number): Promise<Harness> {
  const h = harness({ nodes: slots.slice(0, nodeCount), pods: gated(3) })
  h.api.fault = ({ verb, pod: name }) => (verb === 'pin' && name !== 'g-0' ? 'refused' : 'none')
  await h.run(2_000)
  t.strictSame(pinned(h), ['g-0@n-0'])
  return h
}

t.test('a plan that is withdrawn between pins is made anew around who is pinned', async t => {
  const h = await halfPinned(4)
  h.api.deleteNode('n-1')
  h.api.fault = () => 'none'
  await h.run(30_000)
  t.strictSame([h.bound.length, h.bound[0]], [3, 'g-0@n-0'])
  t.strictSame([pinned(h), h.api.written('nominate')], [h.bound, []])
})

t.test('a node that is lost after the pin: the gang waits and says so, until the member is made anew', async t => {
  const h = await halfPinned(4)
  h.api.deleteNode('n-0')
  h.api.fault = () => 'none'
  await h.run(30_000)
  t.strictSame([h.bound, h.held, pinned(h)], [[], [], ['g-0@n-0']], 'no room is kept in vain')
  t.match(h.gang('g'), {
    state: 'waiting',
    reason: 'g-0 is pinned to node n-0, which is gone: it can start nowhere else, and must be deleted and made anew'
  })
  h.delete('g-0')
  h.add(member(pod('g-3')).gated())
  await h.run(30_000)
  t.strictSame([h.bound.length, h.bound], [3, pinned(h)])
})

t.test('room at a pin that somebody of lower priority has taken is taken back', async t => {
  const h = await halfPinned(4)
  h.add(runs('late', 'n-0', 0).priority(1))
  h.api.fault = () => 'none'
  await h.run(30_000)
  t.strictSame(h.api.written('evict'), ['late'])
  t.strictSame([h.bound.length, h.bound], [3, pinned(h)])
})

t.test('members beyond the quorum are not waited for when their nodes are lost', async t => {
  const lost = { matchExpressions: [], matchFields: [{ key: 'metadata.name', operator: 'In', values: ['gone'] }] }
  const surplus = member(pod('g-3')).term(lost)
  const h = harness({ nodes: slots, pods: [...gated(3), surplus] })
  await h.run(10_000)
  t.strictSame(h.bound, ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
  t.match(h.gang('g').reason, /^surplus members wait: g-3 is pinned to node gone, which is gone/)
})

t.test('a pin that comes through after its plan was withdrawn leads the next plan', async t => {
  const h = harness({ nodes: slots, pods: gated(3) })
  h.api.latency = () => 500
  await h.run(100)
  t.strictSame(h.api.written('pin').length, 3)
  h.node(node('n-0').cpu(1).cordoned())
  await h.run(100)
  t.notOk(h.held.includes('g-0@n-0'), 'planned elsewhere')
  await h.run(10_000)
  t.strictSame(pinned(h), ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'], 'too late')
  t.strictSame([h.bound, h.gang('g').state], [[], 'waiting'])
  h.node(node('n-0').cpu(1))
  await h.run(30_000)
  t.strictSame(h.bound, pinned(h))
})

t.test('a pod that the API server does not take with a pin is nominated and ungated', async t => {
  const h = harness({ nodes: slots, pods: gated(3) })
  h.api.fault = ({ verb, pod: name }) => (verb === 'pin' && name === 'g-1' ? 'invalid' : 'none')
  await h.run(10_000)
  t.equal(h.bound.length, 3)
  t.strictSame(pinned(h), ['g-0@n-0', 'g-2@n-2'])
  t.strictSame([h.api.written('nominate'), h.api.written('ungate')], [['g-1@n-1'], ['g-1']])
})

t.test('without the right to pin the gang holds nothing and says why', async t => {
  const h = harness({ nodes: slots, pods: gated(3) })
  h.api.fault = ({ verb }) => (verb === 'pin' ? 'forbidden' : 'none')
  await h.run(5_000)
  t.match(h.gang('g').reason, /^muster has no right to take the gate muster.dev\/gang away in namespace ns/)
  t.strictSame(h.held, [])
  h.api.fault = () => 'none'
  await h.run(60_000)
  t.equal(h.gang('g').state, 'running')
})

t.test('pins whose answer or effect is lost are made good', async t => {
  for (const fault of ['lost before', 'lost after', 'conflict', 'refused'] as const) {
    const h = harness({ nodes: slots, pods: gated(3) })
    const struck = new Set<string>()
    h.api.fault = ({ verb, pod: name }) => (verb === 'pin' && struck.size < struck.add(name).size ? fault : 'none')
    await h.run(30_000)
    t.strictSame([h.bound, h.api.written('nominate')], [pinned(h), []], fault)
    t.equal(h.bound.length, 3, fault)
  }
})

t.test('a node that kube-scheduler refuses to a pinned member is learnt, and its room is not held in vain', async t => {
  const h = harness({ nodes: slots, pods: gated(3), objects: (each, on) => each.name === 'g-0' && on === 'n-0' })
  await h.run(20_000)
  t.strictSame([h.bound, h.held], [[], []])
  t.equal(h.gang('g').state, 'waiting')
  t.ok(h.gang('g').reason)
})

t.test('what a pinned member is refused says nothing about other nodes, for it could go to none of them', async t => {
  const h = harness({ nodes: slots, pods: gated(3), objects: (each, on) => each.name === 'g-0' && on === 'n-0' })
  await h.run(20_000)
  t.equal(h.gang('g').state, 'waiting')
  h.delete('g-0')
  h.add(member(pod('g-3')).gated())
  await h.run(30_000)
  t.strictSame(h.bound, ['g-1@n-1', 'g-2@n-2', 'g-3@n-3'])
})

t.test('with --scope gangs members are nominated all the same, and an event says that they are not pinned', async t => {
  const marked = gated(3).map(each => each.with({ managed: true }))
  const h = harness({ scope: 'gangs', nodes: slots, pods: marked })
  await h.run(5_000)
  t.equal(h.bound.length, 3)
  t.strictSame([h.api.written('pin'), h.api.written('nominate').length], [[], 3])
  t.ok(h.notices.some(({ note }) => note.endsWith('without effect: muster.dev/pin (with --scope gangs)')))
})

t.test('anything but true and false is refused', async t => {
  const h = harness({ nodes: slots, pods: gated(3).map(each => each.annotation('muster.dev/pin', 'yes')) })
  await h.run(2_000)
  t.equal(h.gang('g').reason, 'annotation muster.dev/pin: "yes" must be one of true, false')
})
