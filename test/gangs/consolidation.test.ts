import t from 'tap'
import { customScheduler } from '../../policies/index.ts'
import { node, nodes, type NodeBuilder, pod, pods, type PodBuilder } from '../builders.ts'
import { harness, type Harness } from './harness.ts'

const twoSlots = (each: NodeBuilder): NodeBuilder => each.cpu(2)
const started = 1_000_000_000
const marked = 'muster.dev/movable'

/** A pod of one slot that runs on that node, and that its controller gives back. */
const runs = (name: string, on: string): PodBuilder => unmarked(name, on).annotation(marked, 'true')
const unmarked = (name: string, on: string): PodBuilder =>
  pod(name)
    .priority(1)
    .cpu(1000)
    .on(on)
    .with({ startedAt: started, controller: setOf(name) })
const setOf = (name: string) => ({ kind: 'ReplicaSet', name: `${name}-set`, uid: `${name}-set` })
/** What the controller makes in its place. */
const again = (name: string): PodBuilder =>
  pod(`${name}-again`)
    .priority(1)
    .cpu(1000)
    .with({ controller: setOf(name) })
    .annotation(marked, 'true')
/** Its one member needs a whole node. */
const whole = (name = 'g', priority = 1): PodBuilder =>
  pod(`${name}-0`).gang(name, 1).priority(priority).cpu(2000).gated()

const isKept = (labels: ReadonlyMap<string, string>): boolean => labels.get('app') === 'kept'
const custom = (each: PodBuilder): PodBuilder => each.scheduler('custom-scheduler')
const large = (each: NodeBuilder): NodeBuilder => each.label('size', 'large')
const evicted = (h: Harness): string[] => h.api.written('evict').toSorted()
async function holds(h: Harness): Promise<number> {
  // One scrape fills the gauges.
  await h.metrics()
  return h.metric('muster_holds')
}
const told = (h: Harness, reason: string): string[] =>
  h.notices.filter(notice => notice.reason === reason).map(notice => `${notice.pod.name}: ${notice.note}`)

t.test('room in two pieces: a movable pod makes way, and what takes its place has its room', async t => {
  const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [runs('a', 'n-0'), runs('b', 'n-1'), whole()] })
  await h.run(100)
  t.strictSame(evicted(h), ['a'])
  h.add(again('a'))
  await h.run(5_000)
  t.strictSame(h.bound, ['a-again@n-1', 'b@n-1', 'g-0@n-0'])
  t.strictSame([h.gang('g').state, h.held], ['running', []])
  t.equal(await holds(h), 0)
  for (const [outcome, want] of Object.entries({ planned: 1, completed: 1, withdrawn: 0 })) {
    t.equal(await h.metric('muster_consolidations_total', { outcome }), want, outcome)
    t.equal(await h.metric('muster_preemptions_total', { outcome }), 0, 'it is no preemption')
  }
  t.strictSame(told(h, 'Consolidating'), ['g-0: gang ns/g of priority 1 moves ns/a'])
  t.strictSame(told(h, 'Moved'), [
    'a: moved for gang ns/g of priority 1, which needs its room on node n-0; ' +
      'node n-1 has room for what takes its place, which is held'
  ])
})

t.test('who is not moved', async t => {
  const cases: Record<string, PodBuilder> = {
    'a pod that is not marked': unmarked('b', 'n-1'),
    'a pod that is marked false': unmarked('b', 'n-1').annotation(marked, 'false'),
    'a pod that nobody gives back': runs('b', 'n-1').with({ controller: undefined }),
    'a DaemonSet pod': runs('b', 'n-1').with({ controller: { kind: 'DaemonSet', name: 'd', uid: 'd' } }),
    'a pod whose volumes or affinity decide where it may go': runs('b', 'n-1').with({ inTree: true }),
    'a pod that ranks higher': runs('b', 'n-1').priority(2),
    'a pod of another scheduler': runs('b', 'n-1').scheduler('default-scheduler'),
    'a member of a gang': runs('b', 'n-1').gang('other', 1),
    'a pod that has just started': runs('b', 'n-1')
      .with({ startedAt: undefined })
      .annotation('muster.dev/min-runtime', '1h')
  }
  for (const [name, stays] of Object.entries(cases)) {
    const others = [unmarked('a', 'n-0').with({ controller: undefined }), stays]
    const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [...others, whole()] })
    await h.run(20_000)
    t.strictSame([evicted(h), h.gang('g').state], [[], 'waiting'], name)
  }
})

t.test('for whom nobody is moved', async t => {
  const cases: Record<string, PodBuilder[]> = {
    'a gang that evicts nobody': [whole().annotation('muster.dev/preemption-policy', 'Never')],
    'a gang that would still not fit': [pod('g-0').gang('g', 1).priority(1).cpu(3000)],
    'a gang for which a moved pod would find no room': pods(2, 'g', each => each.gang('g', 2).priority(1).cpu(2000))
  }
  for (const [name, gang] of Object.entries(cases)) {
    const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [runs('a', 'n-0'), runs('b', 'n-1'), ...gang] })
    await h.run(20_000)
    t.strictSame([evicted(h), h.gang('g').state], [[], 'waiting'], name)
  }
})

t.test('a node whose pods keep others off is no place to move to', async t => {
  const repels = unmarked('a', 'n-0').with({ repels: true, inTree: true })
  const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [repels, runs('b', 'n-1'), whole()] })
  await h.run(20_000)
  t.strictSame(evicted(h), [])
})

t.test('advice without action: the explanation names who would have to move', async t => {
  const cases: Record<string, { readonly running: PodBuilder[]; readonly gang: PodBuilder }> = {
    'nobody is marked': { running: [unmarked('a', 'n-0'), unmarked('b', 'n-1')], gang: whole() },
    'the gang evicts nobody': {
      running: [runs('a', 'n-0'), runs('b', 'n-1')],
      gang: whole().annotation('muster.dev/preemption-policy', 'Never')
    }
  }
  for (const [name, { running, gang }] of Object.entries(cases)) {
    const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [...running, gang] })
    await h.run(5_000)
    t.match(
      h.gang('g').reason,
      /it would fit if ns\/a moved to other nodes \(pods whose annotation muster\.dev\/movable is "true" are moved by muster\)$/,
      name
    )
    t.strictSame(evicted(h), [], name)
  }
  const full = harness({ nodes: nodes(1, 'n', twoSlots), pods: [unmarked('a', 'n-0'), unmarked('b', 'n-0'), whole()] })
  await full.run(5_000)
  t.notMatch(full.gang('g').reason, /moved/, 'none where no move helps')
})

t.test('whoever can be moved is not ended: consolidation comes before preemption', async t => {
  const running = [runs('a', 'n-0'), runs('b', 'n-1'), runs('c', 'n-2').cpu(2000)]
  const h = harness({ nodes: nodes(3, 'n', twoSlots), pods: [...running, whole('g', 10)] })
  await h.run(100)
  t.strictSame(evicted(h), ['a'])
  t.equal(await h.metric('muster_preemptions_total', { outcome: 'planned' }), 0)
})

t.test('the new room is kept for what takes the place, and for nobody else', async t => {
  const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [runs('a', 'n-0'), runs('b', 'n-1'), whole()] })
  await h.run(100)
  h.add(pod('late').priority(1).cpu(1000))
  await h.run(5_000)
  t.strictSame(h.bound, ['b@n-1', 'g-0@n-0'], 'the other one waits')
  h.add(again('a'))
  await h.run(5_000)
  t.strictSame(h.bound, ['a-again@n-1', 'b@n-1', 'g-0@n-0'])
})

t.test('a sibling that was there before takes no place of a moved pod', async t => {
  const h = harness({ nodes: nodes(2, 'n', twoSlots), scheduler: false, pods: [runs('a', 'n-0'), runs('b', 'n-1')] })
  h.add(
    pod('sibling')
      .priority(1)
      .cpu(1000)
      .with({ controller: setOf('a') })
  )
  await h.run(100)
  h.add(whole())
  await h.run(100)
  const bars = (name: string): boolean | undefined => {
    const placement = h.gangs.placement(h.pod(name))
    return placement.kind === 'ordinary' ? placement.bars?.('n-1') : undefined
  }
  h.add(again('a'))
  await h.run(10)
  t.strictSame([bars('sibling'), bars('a-again')], [true, false])
})

t.test('the new room is given up soon where the controller wants nothing in its place any more', async t => {
  const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [runs('a', 'n-0'), runs('b', 'n-1'), whole()] })
  await h.run(100)
  h.add(pod('late').priority(1).cpu(1000))
  await h.run(20_000)
  t.strictSame(h.bound, ['b@n-1', 'g-0@n-0', 'late@n-1'])
  t.equal(await holds(h), 0)
})

t.test('a gang that disappears calls off the moves that have not happened', async t => {
  const running = [0, 1, 2, 3].map(i => runs(`v-${i}`, `n-${i}`))
  const gang = pods(2, 'g', each => each.gang('g', 2).priority(1).cpu(2000).gated())
  const h = harness({ nodes: nodes(4, 'n', twoSlots), pods: [...running, ...gang], concurrency: 1 })
  h.api.latency = () => 100
  await h.run(50)
  t.equal(await holds(h), 3, 'of the gang, and of two moves')
  h.delete('g-0', 'g-1')
  await h.run(5_000)
  t.equal(evicted(h).length, 1, 'the first was on its way')
  t.equal(await holds(h), 1, 'its new room is kept')
  t.equal(await h.metric('muster_wasted_evictions_total'), 1)
})

t.test('a disruption budget is kept', async t => {
  const h = harness({
    nodes: nodes(2, 'n', twoSlots),
    pods: [unmarked('a', 'n-0'), runs('b', 'n-1').label('app', 'kept'), whole()]
  })
  h.state.facts.setBudget({ uid: 'kept', namespace: 'ns', name: 'kept', allowed: 0, selects: isKept })
  await h.run(5_000)
  t.strictSame(evicted(h), [])
  h.state.facts.setBudget({ uid: 'kept', namespace: 'ns', name: 'kept', allowed: 1, selects: isKept })
  await h.run(5_000)
  t.strictSame(evicted(h), ['b'])
})

t.test('whom the Eviction API protects stays, and no room is kept for it', async t => {
  const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [unmarked('a', 'n-0'), runs('b', 'n-1'), whole()] })
  h.api.protects = () => 'Cannot evict pod as it would violate its disruption budget'
  await h.run(4_000)
  t.strictSame([evicted(h), h.held, await holds(h)], [['b'], [], 0])
  t.equal(await h.metric('muster_consolidations_total', { outcome: 'withdrawn' }), 1)
})

t.test('where single pods are planned too, what takes the place is planned as well', async t => {
  const names = new Set(['custom-scheduler'])
  const profiles = new Map([['custom-scheduler', customScheduler(names)]])
  const h = harness({
    nodes: [large(node('n-0')), node('n-1')],
    pods: [custom(runs('a', 'n-0')), custom(whole().select('size', 'large'))],
    profiles
  })
  await h.run(100)
  t.strictSame(evicted(h), ['a'])
  h.add(custom(again('a')))
  await h.run(5_000)
  t.strictSame(h.bound, ['a-again@n-1', 'g-0@n-0'])
})

t.test('the new room is given up in time where what takes the place never comes to stand', async t => {
  const h = harness({ nodes: nodes(2, 'n', twoSlots), pods: [runs('a', 'n-0'), runs('b', 'n-1'), whole()] })
  await h.run(100)
  h.add(again('a').select('no', 'node'), pod('late').priority(1).cpu(1000))
  await h.run(20_000)
  t.equal(await holds(h), 1)
  await h.run(130_000)
  t.strictSame([h.bound, await holds(h)], [['b@n-1', 'g-0@n-0', 'late@n-1'], 0])
})
