import t from 'tap'
import { nodes, type NodeBuilder, pod, type PodBuilder, pods } from '../builders.ts'
import { harness } from './harness.ts'

const oneSlot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const marked = (each: PodBuilder): PodBuilder => each.with({ managed: true })
const member = (each: PodBuilder): PodBuilder => each.gang('g', 3).cpu(1000)
const rule =
  'with --scope gangs every member must want muster.dev/filter and muster.dev/bind, which the admission policy adds, and '

t.test('whose pods are planned where kube-scheduler asks about marked ones alone', async t => {
  const gang = pods(3, 'g', each => member(each).gated())
  const cases: Record<string, { pods: readonly PodBuilder[]; scope?: 'all'; state: string; reason?: string }> = {
    'a marked gang': { pods: gang.map(marked), state: 'planned' },
    'a gang without marks is refused, since it would start in part': {
      pods: gang,
      state: 'refused',
      reason: `${rule}g-0 does not`
    },
    'one member without the mark is enough for that': {
      pods: gang.map((each, index) => (index === 2 ? each : marked(each))),
      state: 'refused',
      reason: `${rule}g-2 does not`
    },
    'a gang that runs since before is left alone': {
      pods: gang.map((_, index) => member(pod(`g-${index}`)).on(`n-${index}`)),
      state: 'running'
    },
    'all, where it asks about all': { pods: gang, scope: 'all', state: 'planned' }
  }
  for (const [name, { pods: all, scope = 'gangs', state, reason }] of Object.entries(cases)) {
    const h = harness({ scope, scheduler: false, nodes: nodes(3, 'n', oneSlot), pods: all })
    await h.run(20)
    t.equal(h.gang('g').state, state, name)
    if (reason !== undefined) t.equal(h.gang('g').reason, reason)
  }
})

t.test('the room that victims leave is kept by nominations, where nobody else is asked about it', async t => {
  const victims = [0, 1].map(i =>
    pod(`low-${i}`).cpu(1000).on(`n-${i}`).with({ startedAt: 1_000_000_000, graceMs: 10_000 })
  )
  const urgent = pods(2, 'g', each => each.gang('g', 2).priority(10).cpu(1000).gated()).map(marked)
  for (const { scope, want } of [
    { scope: 'gangs' as const, want: ['g-0@n-0', 'g-1@n-1'] },
    { scope: 'all' as const, want: [] }
  ]) {
    const h = harness({ scope, nodes: nodes(2, 'n', oneSlot), pods: [...victims, ...urgent] })
    await h.run(5_000)
    t.strictSame([h.nominated, h.api.written('ungate')], [want, []], `${scope}: before they are gone`)
    await h.run(20_000)
    t.strictSame(h.bound, ['g-0@n-0', 'g-1@n-1'], `${scope}: and then the gang starts there`)
    t.equal(h.api.written('nominate').length, 2, 'nominated once')
  }
})

t.test('nobody is moved, since the new room could be kept for nobody', async t => {
  const movable = ['a', 'b'].map((name, i) =>
    pod(name)
      .cpu(1000)
      .on(`n-${i}`)
      .annotation('muster.dev/movable', 'true')
      .with({ startedAt: 1_000_000_000, controller: { kind: 'ReplicaSet', name, uid: name } })
  )
  const whole = marked(pod('g-0').gang('g', 1).cpu(2000).gated())
  for (const { scope, want } of [
    { scope: 'gangs' as const, want: 0 },
    { scope: 'all' as const, want: 1 }
  ]) {
    const h = harness({ scope, nodes: nodes(2, 'n', each => each.cpu(2)), pods: [...movable, whole] })
    await h.run(2_000)
    t.equal(h.api.written('evict').length, want, scope)
  }
})

t.test('a new life tells kube-scheduler again of nominations behind gates, where they stay there', async t => {
  const victims = [0, 1].map(i =>
    pod(`low-${i}`).cpu(1000).on(`n-${i}`).with({ startedAt: 1_000_000_000, graceMs: 60_000 })
  )
  const urgent = pods(2, 'g', each => each.gang('g', 2).priority(10).cpu(1000).gated()).map(marked)
  const h = harness({ scope: 'gangs', nodes: nodes(2, 'n', oneSlot), pods: [...victims, ...urgent] })
  await h.run(5_000)
  t.strictSame(h.api.written('mark'), [], 'its own need no second word')
  h.restart()
  await h.run(5_000)
  t.strictSame(h.nominated, ['g-0@n-0', 'g-1@n-1'])
  t.strictSame(h.api.written('mark').toSorted(), ['g-0', 'g-1'])
  t.match(h.pod('g-0').annotations.get('muster.dev/touched'), /^\d+$/)
  await h.run(120_000)
  t.equal(h.bound.length, 2)
  t.equal(h.api.written('mark').length, 2, 'once')
})
