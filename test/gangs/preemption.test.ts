import t from 'tap'
import { node, nodes, type NodeBuilder, pod, pods, type PodBuilder } from '../builders.ts'
import { harness, type Harness } from './harness.ts'

const oneSlot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const started = 1_000_000_000

/** A pod of one slot that runs on that node. */
const runs = (name: string, on: string, priority = 1): PodBuilder =>
  pod(name).priority(priority).cpu(1000).on(on).with({ startedAt: started })
/** Running members `NAME-0` and on, on nodes n-`from` and on. */
const runningGang = (name: string, { min, size = min, from = 0, priority = 1 }: RunningGang): PodBuilder[] =>
  Array.from({ length: size }, (_, i) => runs(`${name}-${i}`, `n-${from + i}`, priority).gang(name, min))
type RunningGang = { readonly min: number; readonly size?: number; readonly from?: number; readonly priority?: number }

const urgent = (name: string, size: number, priority = 10): PodBuilder[] =>
  pods(size, name, each => each.gang(name, size).priority(priority).cpu(1000).gated())

const evicted = (h: Harness): string[] => h.api.written('evict').toSorted()
const told = (h: Harness, reason: string): string[] =>
  h.notices.filter(notice => notice.reason === reason).map(notice => `${notice.pod.name}: ${notice.note}`)

t.test('S3.55 a gang of higher priority gets the room of as many as it needs', async t => {
  const running = ['a', 'b', 'c', 'd'].map((name, i) => runs(name, `n-${i}`))
  const h = harness({ nodes: nodes(4, 'n', oneSlot), pods: [...running, ...urgent('g', 2)] })
  await h.run(5_000)
  t.equal(evicted(h).length, 2)
  t.match(h.bound, [/./, /./, /g-0@/, /g-1@/])
  t.equal(h.gang('g').state, 'running')
  t.strictSame(h.held, [])
  const counts = { planned: 1, completed: 1, withdrawn: 0 }
  for (const [outcome, want] of Object.entries(counts))
    t.equal(await h.metric('muster_preemptions_total', { outcome }), want, outcome)
  t.equal(await h.metric('muster_victims_total', { outcome: 'done' }), 2)
  t.equal(await h.metric('muster_wasted_evictions_total'), 0)
})

t.test('who evicts nobody', async t => {
  const low = (i: number): PodBuilder => runs(`low-${i}`, `n-${i}`)
  const cases: Record<string, { readonly running: readonly PodBuilder[]; readonly gang: readonly PodBuilder[] }> = {
    'a gang that would still not fit': { running: [low(0), low(1)], gang: urgent('g', 3) },
    'a gang of equal priority': { running: [low(0), low(1)], gang: urgent('g', 2, 1) },
    'a gang of lower priority': { running: [low(0), low(1)], gang: urgent('g', 2, 0) },
    'a gang with preemption-policy Never': {
      running: [low(0), low(1)],
      gang: urgent('g', 2).map(each => each.annotation('muster.dev/preemption-policy', 'Never'))
    },
    'a gang whose PriorityClass never preempts': {
      running: [low(0), low(1)],
      gang: urgent('g', 2).map(each => each.with({ preempts: false }))
    },
    'a gang whose PriorityClass never preempts, whatever it says itself': {
      running: [low(0), low(1)],
      gang: urgent('g', 2).map(each =>
        each.with({ preempts: false }).annotation('muster.dev/preemption-policy', 'PreemptLowerPriority')
      )
    },
    'a gang whose members are not all there': { running: [low(0), low(1)], gang: urgent('g', 2).slice(1) },
    'surplus members': {
      running: [low(0), low(1)],
      gang: [runs('g-0', 'n-2', 10).gang('g', 1), pod('g-1').gang('g', 1).priority(10).cpu(1000)]
    }
  }
  for (const [name, { running, gang }] of Object.entries(cases)) {
    const h = harness({
      nodes: nodes(gang.length === 2 && running.length === 2 && name.startsWith('surplus') ? 3 : 2, 'n', oneSlot),
      pods: [...running, ...gang]
    })
    await h.run(20_000)
    t.strictSame(evicted(h), [], name)
  }
})

t.test('who is evicted by nobody', async t => {
  const cases: Record<string, PodBuilder> = {
    'a pod of equal priority': runs('v', 'n-0', 10),
    'a system-critical pod': runs('v', 'n-0', 2_000_000_000),
    'a DaemonSet pod': runs('v', 'n-0').with({ controller: { kind: 'DaemonSet', name: 'd', uid: 'd' } }),
    'a mirror pod': runs('v', 'n-0').annotation('kubernetes.io/config.mirror', 'x'),
    'a member of a native group': runs('v', 'n-0').with({ native: true })
  }
  for (const [name, victim] of Object.entries(cases)) {
    const gang = urgent('g', 1, name.startsWith('a system') ? 2_000_000_001 : 10)
    const h = harness({ nodes: nodes(1, 'n', oneSlot), pods: [victim, ...gang] })
    await h.run(20_000)
    t.strictSame(evicted(h), [], name)
    t.equal(h.gang('g').state, 'waiting')
  }
})

t.test('preemption-delay is waited first, and room that comes meanwhile is enough', async t => {
  const gang = urgent('g', 1).map(each => each.annotation('muster.dev/preemption-delay', '30s'))
  const h = harness({ nodes: nodes(1, 'n', oneSlot), pods: [runs('v', 'n-0'), ...gang] })
  await h.run(29_000)
  t.strictSame(evicted(h), [])
  await h.run(3_000)
  t.strictSame(evicted(h), ['v'])
  t.strictSame(h.bound, ['g-0@n-0'])
})

t.test('min-runtime protects a gang, and a single pod, after its start', async t => {
  for (const name of ['gang', 'single'] as const) {
    const h = harness({ nodes: nodes(1, 'n', oneSlot) })
    const now = h.clock.wall()
    const victim = runs('v', 'n-0').with({ startedAt: now }).annotation('muster.dev/min-runtime', '20s')
    h.add(name === 'gang' ? victim.gang('old', 1) : victim, urgent('g', 1))
    await h.run(19_000)
    t.strictSame(evicted(h), [], name)
    await h.run(45_000)
    t.strictSame(evicted(h), ['v'], name)
  }
})

t.test(
  'who may be evicted only later is so as soon as that is: nobody waits for the next look at everything',
  async t => {
    const cases: Record<string, { readonly victim?: PodBuilder; readonly delay?: string; readonly from: number }> = {
      'after a preemption-delay': { delay: '5s', from: 4_900 },
      'at the end of a min-runtime': { victim: pod('v').annotation('muster.dev/min-runtime', '5s'), from: 4_000 },
      'at the end of the min-runtime of a gang': {
        victim: pod('v').gang('old', 1).annotation('muster.dev/min-runtime', '5s'),
        from: 4_000
      },
      'on a clock that does not stand still': { from: 0 }
    }
    for (const [name, { victim = pod('v'), delay, from }] of Object.entries(cases)) {
      const h = harness({ nodes: nodes(1, 'n', oneSlot) })
      h.clock.creep = 0.001
      h.add(victim.priority(1).cpu(1000).on('n-0').with({ startedAt: h.clock.wall() }))
      h.add(
        urgent('g', 1).map(each => (delay === undefined ? each : each.annotation('muster.dev/preemption-delay', delay)))
      )
      await h.run(from)
      t.strictSame(evicted(h), [], name)
      await h.run(2_000)
      t.strictSame(evicted(h), ['v'], name)
    }
  }
)

t.test('who evicts nobody though others rank lower is told why', async t => {
  const cases = {
    'nobody is evicted for it: its preemption policy is Never': { key: 'preemption-policy', value: 'Never' },
    'nobody is evicted for it before its preemption-delay is over': { key: 'preemption-delay', value: '1h' },
    'some pods of lower priority are protected by their min-runtime for now': { key: 'min-runtime', value: '1h' }
  }
  for (const [words, { key, value }] of Object.entries(cases)) {
    const h = harness({ nodes: nodes(1, 'n', oneSlot) })
    const says = (each: PodBuilder): PodBuilder => each.annotation(`muster.dev/${key}`, value)
    h.add(says(runs('v', 'n-0').with({ startedAt: h.clock.wall() })), urgent('g', 1).map(says))
    await h.run(5_000)
    t.strictSame(evicted(h), [])
    t.ok(h.gang('g').reason?.endsWith(`; ${words}`), words)
  }
})

t.test('a gang that is just starting is ended for one that came meanwhile, once it has started', async t => {
  for (const gated of [true, false]) {
    const low = pods(3, 'v', each => (gated ? each.gang('v', 2).cpu(1000).gated() : each.gang('v', 2).cpu(1000)))
    const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: low })
    while (!h.state.hasAssumed('n-0')) await h.run(1)
    h.add(urgent('g', 3))
    await h.run(3_000)
    t.strictSame(evicted(h), ['v-0', 'v-1', 'v-2'])
    t.strictSame(h.bound.toSorted(), ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
  }
})

t.test('a gang is a unit: its surplus first, then all of it', async t => {
  const cases: Record<string, { readonly need: number; readonly want: readonly string[] }> = {
    'one slot is surplus': { need: 1, want: ['v-2'] },
    'two slots end it whole': { need: 2, want: ['v-0', 'v-1', 'v-2'] }
  }
  for (const [name, { need, want }] of Object.entries(cases)) {
    const running = runningGang('v', { min: 2, size: 3 })
    const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: [...running, ...urgent('g', need)] })
    await h.run(5_000)
    t.strictSame(evicted(h), want, name)
    t.equal(h.gang('g').state, 'running', name)
  }
})

t.test('a gang that is being ended whole is not repaired meanwhile, and waits whole for room', async t => {
  const running = runningGang('v', { min: 3 }).map(each => each.with({ graceMs: 5_000 }))
  const h = harness({ nodes: nodes(4, 'n', oneSlot), pods: [...running, ...urgent('g', 3)] })
  await h.run(1_000)
  // Its controller replaces them at once; one slot is free all the time.
  h.add(pods(3, 'w', each => each.gang('v', 3).priority(1).cpu(1000)))
  await h.run(20_000)
  t.strictSame(evicted(h), ['v-0', 'v-1', 'v-2'])
  t.strictSame(
    h.bound.filter(each => each.startsWith('w')),
    [],
    'nobody of it is placed alone'
  )
  t.equal(h.gang('v').state, 'waiting')
})

t.test(
  'slow victims: one wave, nobody is nominated or ungated before they have left, and the room stays theirs',
  async t => {
    const slow = ['a', 'b'].map((name, i) => runs(name, `n-${i}`).with({ graceMs: 60_000 }))
    const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: [...slow, runs('c', 'n-2', 5), ...urgent('g', 2)] })
    await h.run(1_000)
    t.strictSame([evicted(h), h.nominated, h.held], [['a', 'b'], [], ['g-0@n-0', 'g-1@n-1']])
    t.equal(h.gang('g').reason, 'its room is held; it waits until 2 pods have left: ns/a, ns/b')
    await h.run(50_000)
    h.add(pods(2, 'late', each => each.priority(1).cpu(1000)))
    t.strictSame([evicted(h), h.api.written('ungate')], [['a', 'b'], []], 'no second wave')
    await h.run(20_000)
    t.strictSame(h.bound, ['c@n-2', 'g-0@n-0', 'g-1@n-1'])
    t.strictSame(evicted(h), ['a', 'b'])
    t.equal(await h.metric('muster_hold_expirations_total'), 0)
  }
)

t.test('pods that leave anyway are waited for', async t => {
  const h = harness({
    nodes: nodes(2, 'n', oneSlot),
    pods: [runs('a', 'n-0').with({ graceMs: 10_000 }), runs('b', 'n-1')]
  })
  await h.run(10)
  h.api.stopPod('ns/a')
  h.add(urgent('g', 1))
  await h.run(5_000)
  t.strictSame([evicted(h), h.held], [[], ['g-0@n-0']])
  await h.run(10_000)
  t.strictSame([evicted(h), h.bound], [[], ['b@n-1', 'g-0@n-0']])
})

t.test('a preemptor that disappears stops the evictions that have not happened', async t => {
  const running = Array.from({ length: 20 }, (_, i) => runs(`v-${i}`, `n-${i}`))
  const h = harness({ nodes: nodes(20, 'n', oneSlot), pods: [...running, ...urgent('g', 20)], concurrency: 2 })
  h.api.latency = () => 100
  await h.run(150)
  h.delete(...Array.from({ length: 20 }, (_, i) => `g-${i}`))
  await h.run(20_000)
  const gone = evicted(h).length
  t.ok(gone > 0 && gone <= 6, `${gone} were evicted`)
  t.equal(await h.metric('muster_wasted_evictions_total'), gone)
  t.equal(await h.metric('muster_preemptions_total', { outcome: 'withdrawn' }), 1)
  t.strictSame(h.held, [])
})

t.test('what was in vain is counted, however the preemptor disappears', async t => {
  const h = harness({
    nodes: nodes(2, 'n', oneSlot),
    pods: [...[0, 1].map(i => runs(`v-${i}`, `n-${i}`).with({ graceMs: 60_000 })), ...urgent('g', 2)]
  })
  await h.run(1_000)
  h.delete('g-0', 'g-1')
  await h.run(1_000)
  t.equal(await h.metric('muster_wasted_evictions_total'), 2)
  t.strictSame(h.held, [])
})

t.test('a gang that is ended slowly is marked once, and an eviction that fails is made again soon', async t => {
  const running = runningGang('v', { min: 3 }).map(each => each.with({ graceMs: 30_000 }))
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: [...running, ...urgent('g', 3)] })
  let failures = 0
  h.api.fault = write => (write.verb === 'evict' && write.pod === 'v-1' && failures++ < 2 ? 'refused' : 'none')
  await h.run(5_000)
  t.strictSame(h.api.written('mark'), ['v-2'])
  t.ok(h.pod('v-1').terminating, 'after two failures')
  await h.run(60_000)
  t.strictSame(h.api.written('mark'), ['v-2'], 'nobody is marked again')
  t.equal(h.gang('g').state, 'running')
})

t.test('… but no gang is left half evicted', async t => {
  const running = runningGang('v', { min: 6 })
  const h = harness({ nodes: nodes(6, 'n', oneSlot), pods: [...running, ...urgent('g', 6)], concurrency: 1 })
  h.api.latency = () => 100
  await h.run(250)
  h.delete(...Array.from({ length: 6 }, (_, i) => `g-${i}`))
  await h.run(20_000)
  t.equal(evicted(h).length, 6)
})

t.test('whom the Eviction API protects is spared, and others go', async t => {
  const h = harness({
    nodes: nodes(3, 'n', oneSlot),
    pods: [runs('kept', 'n-0', 1), runs('b', 'n-1', 2), runs('c', 'n-2', 3), ...urgent('g', 1)]
  })
  h.api.protects = ({ name }) =>
    name === 'kept' ? 'Cannot evict pod as it would violate its disruption budget' : undefined
  await h.run(5_000)
  t.strictSame(h.api.written('evict'), ['kept', 'b'])
  t.strictSame(h.bound, ['c@n-2', 'g-0@n-1', 'kept@n-0'])
  t.equal(await h.metric('muster_victims_total', { outcome: 'refused' }), 1)
})

t.test('a budget that is known is not even tried', async t => {
  const h = harness({
    nodes: nodes(3, 'n', oneSlot),
    pods: [
      ...[0, 1].map(i => runs(`kept-${i}`, `n-${i}`, 1).label('app', 'kept')),
      ...[runs('twice', 'n-2', 2).label('app', 'twice'), ...urgent('g', 1)]
    ]
  })
  const budget = (name: string, app: string, allowed: number): void =>
    h.state.facts.setBudget({
      ...{ uid: name, namespace: 'ns', name, allowed },
      selects: labels => labels.get('app') === app
    })
  budget('none', 'kept', 0)
  budget('one', 'twice', 1)
  budget('other', 'twice', 1)
  await h.run(5_000)
  t.strictSame(evicted(h), [], 'none allowed, and two budgets for one pod')
  t.equal(h.gang('g').state, 'waiting')
  budget('none', 'kept', 1)
  await h.run(5_000)
  t.equal(evicted(h).length, 1)
  t.match(evicted(h), [/kept/])
})

t.test('S2.24 S3.30 an eviction without a clear answer is asked for again, and happens once', async t => {
  for (const fault of ['lost before', 'lost after', 'conflict'] as const) {
    const h = harness({ nodes: nodes(1, 'n', oneSlot), pods: [runs('v', 'n-0'), ...urgent('g', 1)] })
    let times = 0
    h.api.fault = write => (write.verb === 'evict' && times++ === 0 ? fault : 'none')
    await h.run(5_000)
    t.strictSame(h.bound, ['g-0@n-0'], fault)
    t.ok(times <= 2, `${times} evictions`)
  }
})

t.test('four preemptors for the same victims: nobody gets the room of another', async t => {
  const running = Array.from({ length: 4 }, (_, i) => runs(`v-${i}`, `n-${i}`).with({ graceMs: 3_000 }))
  const gangs = ['a', 'b', 'c', 'd'].flatMap(name => urgent(name, 2))
  const h = harness({ nodes: nodes(4, 'n', oneSlot), pods: [...running, ...gangs] })
  await h.run(20_000)
  t.strictSame(evicted(h), ['v-0', 'v-1', 'v-2', 'v-3'], 'each once')
  const states = ['a', 'b', 'c', 'd'].map(name => h.gang(name).state).toSorted()
  t.strictSame(states, ['running', 'running', 'waiting', 'waiting'])
  t.strictSame(h.violations, [])
})

t.test('muster restarted while victims leave: no second wave, and the gang starts', async t => {
  const running = Array.from({ length: 4 }, (_, i) => runs(`v-${i}`, `n-${i}`).with({ graceMs: 20_000 }))
  const h = harness({ nodes: nodes(4, 'n', oneSlot), pods: [...running, ...urgent('g', 2)] })
  await h.run(1_000)
  t.equal(evicted(h).length, 2)
  h.restart()
  await h.run(30_000)
  t.equal(evicted(h).length, 2)
  t.equal(h.gang('g').state, 'running')
})

t.test('a victim that comes back evicts nobody of its own rank', async t => {
  const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: [runs('a', 'n-0'), runs('b', 'n-1'), ...urgent('g', 1)] })
  await h.run(5_000)
  t.equal(evicted(h).length, 1)
  h.add(pod('back').gang('back', 1).priority(1).cpu(1000))
  await h.run(30_000)
  t.equal(evicted(h).length, 1)
  t.equal(h.gang('back').state, 'waiting')
})

t.test('whose priority is even higher takes the room that is being freed', async t => {
  const running = [0, 1].map(i => runs(`v-${i}`, `n-${i}`).with({ graceMs: 10_000 }))
  const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: [...running, ...urgent('g', 2)] })
  await h.run(1_000)
  h.add(urgent('top', 2, 100))
  await h.run(20_000)
  t.strictSame(evicted(h), ['v-0', 'v-1'])
  t.strictSame(h.bound, ['top-0@n-0', 'top-1@n-1'])
  t.equal(h.gang('g').state, 'waiting')
})

t.test('preemptor and victim are told of each other', async t => {
  const h = harness({ nodes: [node('n-0').cpu(1)], pods: [runs('v', 'n-0'), ...urgent('g', 1)] })
  await h.run(5_000)
  t.strictSame(told(h, 'Preempting'), ['g-0: gang ns/g of priority 10 evicts ns/v'])
  t.strictSame(told(h, 'Preempted'), ['v: evicted for gang ns/g of priority 10, which needs its room on node n-0'])
})

t.test("kube-scheduler's own preemption spares the protected and those who leave for a gang", async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), scheduler: false })
  const now = h.clock.wall()
  h.add(
    runs('fresh', 'n-0').with({ startedAt: now }).annotation('muster.dev/min-runtime', '1h'),
    runs('leaving', 'n-1', 0).with({ graceMs: 60_000 }),
    runs('free', 'n-2', 1),
    urgent('g', 1)
  )
  await h.run(1_000)
  t.strictSame(evicted(h), ['leaving'])
  const candidates = new Map(['fresh', 'leaving', 'free'].map((name, i) => [`n-${i}`, [`ns/${name}`]]))
  const single = pod('single').priority(100).cpu(1000).obj()
  t.strictSame([...h.gangs.allowedPreemptions(single, candidates)], ['n-2'])
})
