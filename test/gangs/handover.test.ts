import t from 'tap'
import { pinnedNode } from '../../policies/pin.ts'
import { nodes, pod, type PodBuilder, pods } from '../builders.ts'
import { type Harness, harness, type Options } from './harness.ts'

const slots = nodes(4, 'n', each => each.cpu(1))
const member = (each: PodBuilder, size = 3): PodBuilder =>
  each
    .gang('g', size)
    .cpu(1000)
    .priority(10)
    .annotation('muster.dev/pin', 'true')
    .annotation('muster.dev/binder', 'kube-scheduler')
const gated = (size: number): PodBuilder[] => pods(size, 'g', each => member(each, size).gated())
const marked = (each: PodBuilder): PodBuilder => each.with({ managed: true })
const unpinned = (each: PodBuilder): PodBuilder => each.annotation('muster.dev/pin', 'false')
const runs = (name: string, on: string, graceMs: number): PodBuilder =>
  pod(name).cpu(1000).on(on).with({ startedAt: 1_000_000_000, graceMs })
const rival = (index: number): PodBuilder =>
  marked(pod(`a-${index}`).gang('a', 2).cpu(1000).priority(10).gated().nominated(`n-${index}`))
const open = (options: Options): Harness => harness({ scope: 'gangs', nodes: slots, ...options })

/** Members and the nodes that they are pinned to, as `pod@node`, sorted. */
function pinned(h: Harness): string[] {
  const all = [...h.api.pods.values()].map(each => ({ name: each.name, on: pinnedNode(each) }))
  return all.flatMap(({ name, on }) => (on === undefined ? [] : `${name}@${on}`)).toSorted()
}

const verbs = (h: Harness): string[] => h.api.writes.map(({ verb }) => verb)
const told = (h: Harness): string[] => [
  ...new Set(h.notices.filter(({ reason }) => reason === 'AnnotationNotActive').map(({ note }) => note))
]

t.test('a member costs muster one write, and kube-scheduler binds it without a question', async t => {
  const h = open({ pods: gated(3) })
  await h.run(5_000)
  t.strictSame(h.bound, ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
  t.strictSame(verbs(h), ['pin', 'pin', 'pin'])
  t.strictSame(h.scheduler?.filtered, [], 'no call')
  t.strictSame([h.gang('g').state, h.held, told(h)], ['running', [], []])
  t.match(await h.metrics(), /^muster_gang_start_duration_seconds_count 1$/m, 'it has started once')
  t.strictSame(h.violations, [])
})

t.test('who binds the members, and what a gang hears that asks in vain', async t => {
  const because = 'gang g: not active yet, and without effect: muster.dev/binder (muster binds its members, since '
  const inScope = ', muster.dev/pin (with --scope gangs)'
  const cases: Record<string, { options: Options; writes: string[]; note?: string }> = {
    'kube-scheduler asks about all pods': {
      options: { scope: 'all', pods: gated(3) },
      writes: ['pin', 'pin', 'pin', 'bind', 'bind', 'bind'],
      note: `${because}kube-scheduler asks about all pods without --scope gangs)`
    },
    'no pin': {
      options: { pods: gated(3).map(unpinned).map(marked) },
      writes: [...Array(3).fill('nominate'), ...Array(3).fill('ungate'), ...Array(3).fill('bind')],
      note: `${because}muster.dev/pin is not true)`
    },
    'members with the resources': {
      options: { pods: gated(3).map(marked) },
      writes: [...Array(3).fill('nominate'), ...Array(3).fill('ungate'), ...Array(3).fill('bind')],
      note: `${because}they want muster.dev/filter and muster.dev/bind)${inScope}`
    },
    'it says muster': {
      options: { pods: gated(3).map(each => marked(each.annotation('muster.dev/binder', 'muster'))) },
      writes: [...Array(3).fill('nominate'), ...Array(3).fill('ungate'), ...Array(3).fill('bind')],
      note: 'gang g: not active yet, and without effect: muster.dev/pin (with --scope gangs)'
    }
  }
  for (const [name, { options, writes, note }] of Object.entries(cases)) {
    const h = open(options)
    await h.run(5_000)
    t.equal(h.bound.length, 3, name)
    t.strictSame(verbs(h), writes, name)
    t.strictSame(told(h), note === undefined ? [] : [note], name)
  }
})

t.test('what would be bound alone is refused, and says why', async t => {
  const free = open({ scheduler: false, pods: [member(pod('g-0')), ...gated(3).slice(1)] })
  await free.run(1_000)
  t.match(free.gang('g'), {
    state: 'refused',
    reason:
      'with muster.dev/binder: kube-scheduler every member must be made with the gate muster.dev/gang, and g-0 was not'
  })
  t.strictSame(free.api.writes, [])
  const odd = open({ pods: gated(3).map(each => each.annotation('muster.dev/binder', 'me')) })
  await odd.run(1_000)
  t.equal(odd.gang('g').reason, 'annotation muster.dev/binder: "me" must be one of muster, kube-scheduler')
})

t.test('from the first pin on nobody takes the room of the others', async t => {
  const h = open({ scheduler: false, pods: gated(3), concurrency: 1 })
  h.api.latency = () => 100
  await h.run(50)
  t.match(h.gang('g'), { state: 'binding', plan: { firm: true } }, 'the first is under way')
  const urgent = pods(4, 'u', each => marked(each.gang('u', 4).cpu(1000).priority(1_000)))
  h.add(urgent)
  await h.run(2_000)
  t.strictSame([h.held.length, pinned(h).length], [3, 3])
  t.match(
    h.gangs.reports.pod('ns', 'g-0')?.explanation,
    /^the pod is planned on node n-\d and is bound there by kube-sch/
  )
  t.equal(h.gang('u').state, 'waiting')
})

t.test('a member that is refused at its node while others stand: the gang says why and is made whole', async t => {
  const h = open({ pods: gated(3), objects: (each, on) => each.name === 'g-0' && on === 'n-0' })
  await h.run(20_000)
  t.strictSame(h.bound, ['g-1@n-1', 'g-2@n-2'])
  t.equal(h.gang('g').state, 'degraded')
  t.ok(h.gang('g').reason)
  h.delete('g-0')
  h.add(member(pod('g-3')).gated())
  await h.run(30_000)
  t.strictSame(h.bound, ['g-1@n-1', 'g-2@n-2', 'g-3@n-3'])
  t.strictSame([h.gang('g').state, h.held], ['running', []])
})

t.test(
  'a node that is lost after the pin: the others start, and whoever comes in place of the lost member joins',
  async t => {
    const h = open({ scheduler: false, pods: gated(3) })
    await h.run(1_000)
    t.equal(pinned(h).length, 3)
    h.api.deleteNode('n-0')
    await h.run(1_000)
    for (const name of ['g-1', 'g-2'])
      await Promise.all([h.api.bindFor(h.pod(name), pinnedNode(h.pod(name))!), h.run(50)])
    await h.run(5_000)
    t.match(h.gang('g'), {
      state: 'degraded',
      reason: 'g-0 is pinned to node n-0, which is gone: it can start nowhere else, and must be deleted and made anew'
    })
    t.strictSame(h.held, [], 'no room is kept in vain')
    h.delete('g-0')
    h.add(member(pod('g-3')).gated())
    await h.run(5_000)
    t.strictSame(pinned(h), ['g-1@n-1', 'g-2@n-2', 'g-3@n-3'])
  }
)

t.test('a gang that is ended because it stays broken takes its lost pin along, and starts anew', async t => {
  const once = gated(3).map(each => each.annotation('muster.dev/on-partial', 'evict'))
  const h = open({ pods: once, objects: (each, on) => each.name === 'g-0' && on === 'n-0' })
  await h.run(5_000)
  t.strictSame([h.bound, pinned(h).length], [['g-1@n-1', 'g-2@n-2'], 3])
  h.api.deleteNode('n-0')
  await h.run(90_000)
  t.strictSame([h.api.written('evict').toSorted(), h.api.pods.size], [['g-0', 'g-1', 'g-2'], 0])
  h.add(...once)
  await h.run(5_000)
  t.strictSame(h.bound, ['g-0@n-1', 'g-1@n-2', 'g-2@n-3'])
})

t.test('room that was taken at a pin by somebody of lower priority is taken back', async t => {
  const h = open({ scheduler: false, pods: gated(3) })
  await h.run(1_000)
  h.add(runs('late', 'n-0', 0).priority(1))
  await h.run(1_000)
  for (const name of ['g-1', 'g-2'])
    await Promise.all([h.api.bindFor(h.pod(name), pinnedNode(h.pod(name))!), h.run(50)])
  await h.run(10_000)
  t.strictSame(h.api.written('evict'), ['late'])
  t.strictSame(h.held, ['g-0@n-0'])
})

t.test('room that victims leave is kept by nominations until it is free, and then comes the pin', async t => {
  const victims = [runs('a', 'n-0', 2_000), runs('b', 'n-1', 10_000)].map(each => each.priority(1))
  const h = open({ nodes: slots.slice(0, 3), pods: [...victims, ...gated(3)] })
  await h.run(8_000)
  t.strictSame([h.nominated, pinned(h)], [['g-0@n-0', 'g-1@n-1', 'g-2@n-2'], []], 'one of the two has left')
  await h.run(10_000)
  t.strictSame([h.bound, pinned(h)], [['g-0@n-0', 'g-1@n-1', 'g-2@n-2'], h.bound])
  t.strictSame(verbs(h), ['evict', 'evict', ...Array(3).fill('nominate'), ...Array(3).fill('pin')])
})

t.test('killed at any moment of its start, the gang comes to stand whole, each member where it is pinned', async t => {
  const ends = new Set<string>()
  for (let at = 0; at <= 40; at += 1) {
    const h = open({ pods: gated(3), concurrency: 1 })
    await h.run(at)
    h.kill()
    ends.add(`${pinned(h).length} pinned, ${h.bound.length} bound`)
    await h.run(at % 3 === 0 ? 3_000 : 1)
    h.start()
    await h.run(60_000)
    const end = [h.bound.length, h.held, h.nominated, h.violations, h.api.written('nominate')]
    t.strictSame(end, [3, [], [], [], []], `killed after ${at} ms`)
    t.strictSame(h.bound, pinned(h), 'each where it is pinned')
  }
  for (const some of ['1 pinned, 0 bound', '3 pinned, 3 bound']) t.ok(ends.has(some), `killed with ${some}`)
})

t.test('a life that finds members let go keeps their room and completes their gang', async t => {
  const h = open({ scheduler: false, pods: gated(3) })
  h.api.fault = ({ verb, pod: name }) => (verb === 'pin' && name !== 'g-0' ? 'refused' : 'none')
  await h.run(1_000)
  h.kill()
  t.strictSame(pinned(h), ['g-0@n-0'])
  h.api.fault = () => 'none'
  h.start()
  await h.run(100)
  t.match(h.gang('g'), { plan: { firm: true } })
  t.equal(pinned(h).length, 3)
  t.strictSame(h.held, pinned(h))
})

t.test('a life finds room first for members that are let go, whoever else was nominated for it', async t => {
  const h = open({ scheduler: false, pods: gated(3) })
  await h.run(1_000)
  h.kill()
  t.strictSame(pinned(h), ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
  h.add(rival(0), rival(1))
  h.start()
  await h.run(1)
  t.strictSame(h.held, pinned(h))
  t.match(h.gang('g'), { plan: { firm: true } })
})

t.test('pins whose answer or effect is lost are made good', async t => {
  for (const fault of ['lost before', 'lost after', 'conflict', 'refused'] as const) {
    const h = open({ pods: gated(3) })
    const struck = new Set<string>()
    h.api.fault = ({ verb, pod: name }) => (verb === 'pin' && struck.size < struck.add(name).size ? fault : 'none')
    await h.run(30_000)
    t.strictSame([h.bound, h.api.written('nominate')], [pinned(h), []], fault)
    t.equal(h.bound.length, 3, fault)
  }
})

t.test('a pod that the API server does not take with a pin is nominated, and then let go', async t => {
  const h = open({ pods: gated(3) })
  h.api.fault = ({ verb, pod: name }) => (verb === 'pin' && name === 'g-1' ? 'invalid' : 'none')
  await h.run(10_000)
  t.equal(h.bound.length, 3)
  t.strictSame(pinned(h), ['g-0@n-0', 'g-2@n-2'])
  t.strictSame([h.api.written('nominate'), h.api.written('ungate')], [['g-1@n-1'], ['g-1']])
  t.equal(h.gang('g').state, 'running')
})

t.test('without the right to pin the gang holds nothing and says why', async t => {
  const h = open({ pods: gated(3) })
  h.api.fault = ({ verb }) => (verb === 'pin' ? 'forbidden' : 'none')
  await h.run(5_000)
  t.match(h.gang('g').reason, /^muster has no right to take the gate muster.dev\/gang away in namespace ns/)
  t.strictSame(h.held, [])
})

t.test(
  'a member that somebody else binds at its planned node counts, and the others come through the barrier',
  async t => {
    const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'g', each => each.gang('g', 3).cpu(1000)) })
    await h.run(100)
    t.strictSame(h.held, ['g-0@n-0', 'g-1@n-1', 'g-2@n-2'])
    await Promise.all([h.api.bindFor(h.pod('g-0'), 'n-0'), h.run(50)])
    t.strictSame(h.held, ['g-1@n-1', 'g-2@n-2'], 'their room is still held')
    t.match(h.gang('g'), { state: 'planned', plan: { firm: false } }, 'though only as a plan')
    const answers = Promise.all([h.bind('g-1', 'n-1'), h.bind('g-2', 'n-2')])
    await h.run(1_000)
    t.strictSame(await answers, ['', ''])
    t.strictSame([h.bound.length, h.gang('g').state], [3, 'running'])
  }
)
