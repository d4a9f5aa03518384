import t, { type Test } from 'tap'
import type { Node, Pod } from '../../policies/types.ts'
import type { ClusterEvent, NodeAction } from '../../extender/embedded/scheduler/events.ts'
import type { Entry } from '../../extender/embedded/scheduler/entry.ts'
import { isWorthTrying } from '../../extender/embedded/scheduler/hints.ts'
import { Nominator } from '../../extender/embedded/scheduler/nominator.ts'
import { SchedulingQueue } from '../../extender/embedded/scheduler/queue.ts'
import type { PodView } from '../../extender/embedded/scheduler/views.ts'
import { node, pod } from '../builders.ts'
import { ManualClock } from '../kubernetes/manual-clock.ts'

const view = (made: Pod): PodView => ({
  pod: made,
  object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: made.name, namespace: made.namespace, uid: made.uid } }
})
const p = (name: string, priority = 0): Pod => pod(name).priority(priority).obj()
const bind: ClusterEvent = {
  resource: 'AssignedPod',
  action: 'Add',
  before: undefined,
  after: pod('other').on('n').obj()
}
const left: ClusterEvent = {
  resource: 'AssignedPod',
  action: 'Delete',
  before: pod('other').on('n').obj(),
  after: undefined
}

/** A queue over a clock that stands still. */
function bench(t: Test) {
  const clock = new ManualClock()
  clock.advance(200)
  let ready = 0
  const nominator = new Nominator()
  const queue = new SchedulingQueue({
    clock,
    initialBackoffMs: 1_000,
    maxBackoffMs: 10_000,
    nominator,
    onReady: () => ready++
  })
  t.teardown(() => queue.stop())
  const refuse = (entry: Entry, ...plugins: string[]) => {
    entry.plugins = new Set(plugins)
    queue.putBack(entry)
  }
  const pop = () => queue.pop()!
  return { clock, queue, nominator, refuse, pop, ready: () => ready }
}

t.test('what waits longest goes first among equals; a higher priority before all', async t => {
  const { clock, queue } = bench(t)
  for (const [name, priority] of [
    ['a', 0],
    ['b', 0],
    ['c', 5]
  ] as const) {
    queue.add(view(p(name, priority)))
    clock.advance(1)
  }
  const order = [queue.pop(), queue.pop(), queue.pop(), queue.pop()].map(entry => entry?.view.pod.name)
  t.strictSame(order, ['c', 'a', 'b', undefined])
})

t.test('a refused pod rests until an event that its plugin waits for', async t => {
  const { queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  refuse(pop(), 'NodeResourcesFit')
  queue.move(bind)
  t.strictSame(queue.counts, { active: 0, backoff: 0, parked: 1 })
  queue.move(left)
  t.strictSame(queue.counts, { active: 0, backoff: 1, parked: 0 }, 'but not before its second is over')
})

t.test('a pod that backs off goes early when nobody else wants to', async t => {
  const { clock, queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  refuse(pop(), 'Extender')
  queue.move(bind)
  queue.add(view(p('b')))
  t.equal(pop().view.pod.name, 'b')
  t.equal(pop().view.pod.name, 'a')
  t.equal(clock.now() < 2_000, true)
})

t.test('the backoff doubles from one second to ten, in whole seconds', async t => {
  const { clock, queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  const waits: number[] = []
  for (let attempt = 0; attempt < 6; attempt++) {
    refuse(pop())
    const from = clock.now()
    for (let ms = 0; queue.counts.active === 0 && ms < 20_000; ms += 100) clock.advance(100)
    waits.push(clock.now() - from)
  }
  t.strictSame(waits, [1_800, 3_000, 5_000, 9_000, 11_000, 11_000], 'it ends with the second that it ends in')
})

t.test('a broken pod waits to the end, however idle the scheduler is, and whatever happens', async t => {
  const { clock, queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  refuse(pop())
  queue.move(left)
  t.equal(queue.pop(), undefined)
  clock.advance(3_000)
  t.equal(pop().view.pod.name, 'a')
})

t.test('errors are counted in a row, refusals in all', async t => {
  const { clock, queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  let entry = pop()
  const after = (...plugins: string[]) => {
    refuse(entry, ...plugins)
    queue.move(left)
    clock.advance(20_000)
    entry = pop()
    return [entry.refusals, entry.errors]
  }
  t.strictSame(after('Extender'), [1, 0])
  t.strictSame(after(), [1, 1])
  t.strictSame(after(), [1, 2])
  t.strictSame(after('Extender'), [2, 0])
})

t.test('what happens during a cycle is not lost', async t => {
  const table: Record<string, { plugin: string; event: ClusterEvent; backoff: number }> = {
    'an event of its plugin': { plugin: 'NodeResourcesFit', event: left, backoff: 1 },
    'another event': { plugin: 'NodeResourcesFit', event: bind, backoff: 0 },
    'any event, for an extender': { plugin: 'Extender', event: bind, backoff: 1 }
  }
  for (const [name, { plugin, event, backoff }] of Object.entries(table)) {
    t.test(name, async t => {
      const { queue, refuse, pop } = bench(t)
      queue.add(view(p('a')))
      const entry = pop()
      queue.move(event)
      refuse(entry, plugin)
      t.equal(queue.counts.backoff, backoff)
    })
  }
  const { queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  const entry = pop()
  queue.update(entry.view, view(pod('a').annotation('muster.dev/x', 'y').obj()))
  refuse(entry, 'Extender')
  t.equal(queue.counts.backoff, 1, 'its own update')
})

t.test('a gated pod is not moved by events, and goes at once when its last gate goes', async t => {
  const { queue } = bench(t)
  const gated = pod('a')
    .with({ gates: ['one', 'two'] })
    .obj()
  queue.add(view(gated))
  queue.move(left)
  queue.move({ resource: 'Any' })
  const less = { ...gated, gates: ['two'] }
  queue.update(view(gated), view(less))
  t.strictSame(queue.counts, { active: 0, backoff: 0, parked: 1 })
  queue.update(view(less), view({ ...less, gates: [] }))
  t.strictSame(queue.counts, { active: 1, backoff: 0, parked: 0 })
})

t.test('a pod parked for five minutes is flushed', async t => {
  const { clock, queue, refuse, pop } = bench(t)
  queue.add(view(p('a')))
  refuse(pop(), 'NodeAffinity')
  clock.advance(5 * 60_000 - 1_000)
  t.equal(queue.counts.parked, 1)
  clock.advance(32_000)
  t.equal(queue.counts.active, 1)
})

t.test('an update reaches a pod wherever it waits', async t => {
  const changed = view(pod('a').annotation('muster.dev/x', 'y').obj())
  const table: Record<string, string[]> = { active: [], parked: ['NodeAffinity'] }
  for (const [where, plugins] of Object.entries(table)) {
    t.test(where, async t => {
      const { queue, refuse, pop } = bench(t)
      queue.add(view(p('a')))
      if (where === 'parked') refuse(pop(), ...plugins)
      queue.update(view(p('a')), changed)
      t.equal(queue.counts[where as 'active' | 'parked'], 1, 'and leaves it there')
      if (where === 'parked') queue.move({ resource: 'Any' })
      t.equal(pop().view, changed)
    })
  }
})

t.test('a deleted pod is nowhere', async t => {
  const { queue, refuse, pop, nominator } = bench(t)
  const nominated = { ...p('a'), nominatedNodeName: 'n' }
  for (const where of ['active', 'backoff', 'parked']) {
    queue.add(view(nominated))
    if (where !== 'active') refuse(pop(), 'Extender')
    if (where === 'backoff') queue.move(bind)
    t.equal(nominator.on('n').length, 1)
    queue.delete(nominated.uid)
    t.strictSame([queue.counts, nominator.on('n')], [{ active: 0, backoff: 0, parked: 0 }, []])
  }
})

t.test('nominations', async t => {
  const nominator = new Nominator()
  const [plain, on] = [view(p('a')), (node: string) => view({ ...p('a'), nominatedNodeName: node })]
  const nodes = () => ['m', 'n'].filter(node => nominator.on(node).length > 0)
  nominator.nominate(on('n'))
  t.strictSame(nodes(), ['n'], 'as the status says')
  nominator.nominate(on('n'), '')
  t.strictSame(nodes(), [], 'or as we say')
  nominator.nominate(plain, 'm')
  nominator.update(plain, plain)
  t.strictSame(nodes(), ['m'], 'ours stays until the status shows it')
  nominator.update(plain, on('n'))
  t.strictSame(nodes(), ['n'])
  nominator.update(on('n'), plain)
  t.strictSame(nodes(), [], 'and goes when the status loses it')
})

const of = (action: NodeAction, before: Node | undefined, after: Node | undefined): ClusterEvent => ({
  resource: 'Node',
  action,
  before,
  after
})

t.test('which event wakes whom', async t => {
  const small = node('n').allocatable('cpu', 100).obj()
  const large = node('n').cpu(8).memory(64).maxPods(10).obj()
  const larger = node('n').cpu(9).memory(64).maxPods(10).obj()
  const asks = pod('a').cpu(1_000).obj()
  const own = (action: 'Update' | 'GatesEliminated' | 'Toleration'): ClusterEvent => ({
    resource: 'UnscheduledPod',
    action,
    before: asks,
    after: asks
  })
  const cordoned = { ...large, unschedulable: true }
  const tainted = { ...large, taints: [{ key: 'k', value: '', effect: 'NoSchedule' }] }
  const table: [plugin: string, name: string, event: ClusterEvent, want: boolean][] = [
    ['Extender', 'its own annotation', own('Update'), true],
    ['Extender', 'a pod is bound', bind, true],
    ['Extender', 'a volume comes', { resource: 'Other' }, true],
    ['Extender', 'a node leaves', of('Delete', large, undefined), true],
    ['NodeResourcesFit', 'its own annotation', own('Update'), false],
    ['NodeResourcesFit', 'a pod is bound', bind, false],
    ['NodeResourcesFit', 'a pod leaves', left, true],
    ['NodeResourcesFit', 'a pod shrinks', { ...bind, action: 'ScaleDown' }, true],
    ['NodeResourcesFit', 'a large node comes', of('Add', undefined, large), true],
    ['NodeResourcesFit', 'a small node comes', of('Add', undefined, small), false],
    ['NodeResourcesFit', 'a node grows', of('Allocatable', large, larger), true],
    ['NodeResourcesFit', 'a node shrinks', of('Allocatable', larger, large), false],
    ['NodeResourcesFit', 'a node is labelled', of('Label', large, large), false],
    ['NodeResourcesFit', 'a volume comes', { resource: 'Other' }, false],
    ['NodeAffinity', 'a pod leaves', left, false],
    ['NodeAffinity', 'a node that it wants comes', of('Add', undefined, large), true],
    ['NodeAffinity', 'a node is tainted', of('Taint', large, tainted), false],
    ['TaintToleration', 'a taint goes', of('Taint', tainted, large), true],
    ['TaintToleration', 'a taint comes', of('Taint', large, tainted), false],
    ['TaintToleration', 'a node with the taint comes', of('Add', undefined, tainted), false],
    ['TaintToleration', 'it tolerates more', own('Toleration'), true],
    ['NodeUnschedulable', 'a cordon goes', of('Taint', cordoned, large), true],
    ['NodeUnschedulable', 'a cordoned node comes', of('Add', undefined, cordoned), false],
    ['NodeUnschedulable', 'it tolerates something else', own('Toleration'), false],
    ['NodePorts', 'a pod without ports leaves', left, false],
    ['NodePorts', 'a node comes', of('Add', undefined, small), true],
    ['SchedulingGates', 'its last gate goes', own('GatesEliminated'), true],
    ['SchedulingGates', 'a pod leaves', left, false]
  ]
  for (const [plugin, name, event, want] of table)
    t.equal(isWorthTrying(event, asks, new Set([plugin])), want, `${plugin}: ${name}`)
  t.ok(isWorthTrying(bind, asks, new Set()), 'without a plugin everything')
  t.ok(isWorthTrying({ resource: 'Any' }, asks, new Set(['NodeAffinity'])), 'the flush wakes all')
})
