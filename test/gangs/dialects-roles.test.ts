import t from 'tap'
import { nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const roles = JSON.stringify({ leader: 1, worker: 2 })
const group = (name: string, count: number, role: string, createdAt = 0): PodBuilder[] =>
  pods(count, name, one =>
    one
      .gang('g')
      .annotation('muster.dev/roles', roles)
      .annotation('muster.dev/role', role)
      .cpu(1000)
      .createdAt(createdAt)
  )
const slots = (count: number) => nodes(count, 'n', each => each.cpu(1))

t.test('a gang with roles starts once each role has its minimum, and says which is short', async t => {
  const h = harness({ nodes: slots(8), pods: group('w', 5, 'worker') })
  await h.run(5_000)
  t.match(h.gang('g'), { state: 'forming', minMember: 3, reason: '0 of 1 members of role leader exist' })
  h.add(group('l', 1, 'leader', 9_000))
  await h.run(10_000)
  t.equal(h.gang('g').state, 'running')
  t.equal(h.gang('g').members.filter(member => member.state === 'running' || member.state === 'bound').length, 6)
})

t.test('those whom the quorum needs are planned first, however young; the others take what is left', async t => {
  const h = harness({ nodes: slots(4), pods: [...group('w', 5, 'worker'), ...group('l', 1, 'leader', 9_000)] })
  await h.run(10_000)
  const placed = h.gang('g').members.filter(member => member.node !== null)
  t.strictSame(placed.map(member => member.name).toSorted(), ['l-0', 'w-0', 'w-1', 'w-2'])
})

t.test('where only one role has a minimum, room for one is for that one', async t => {
  const words = JSON.stringify({ leader: 1 })
  const member = (one: PodBuilder): PodBuilder => one.gang('g').annotation('muster.dev/roles', words).cpu(1000)
  const leader = pods(1, 'l', one => member(one).annotation('muster.dev/role', 'leader').createdAt(9_000))
  const h = harness({ nodes: slots(1), pods: [...pods(2, 'w', member), ...leader] })
  await h.run(10_000)
  t.strictSame(
    h.gang('g').members.flatMap(({ name, node }) => (node === null ? [] : [name])),
    ['l-0']
  )
})

t.test('without room for every role nobody is placed', async t => {
  const h = harness({ nodes: slots(2), pods: [...group('w', 5, 'worker'), ...group('l', 1, 'leader', 9_000)] })
  await h.run(10_000)
  t.strictSame([h.gang('g').state, h.held], ['waiting', []])
  h.node(slots(3)[2]!)
  await h.run(10_000)
  t.equal(h.gang('g').members.filter(member => member.node !== null).length, 3)
})

t.test('the barrier waits for the role that is missing', async t => {
  const h = harness({
    scheduler: false,
    nodes: slots(8),
    pods: [...group('w', 4, 'worker'), ...group('l', 1, 'leader', 9_000)]
  })
  await h.run(100)
  const planned = new Map(h.gang('g').members.map(member => [member.name, member.planned ?? '']))
  const answers = ['w-0', 'w-1', 'w-2', 'w-3'].map(name => h.bind(name, planned.get(name) ?? ''))
  await h.run(1_000)
  t.strictSame(
    h.api.writes.filter(write => write.verb === 'bind'),
    [],
    'nobody yet'
  )
  const last = h.bind('l-0', planned.get('l-0') ?? '')
  await h.run(1_000)
  t.strictSame(await Promise.all([...answers, last]), ['', '', '', '', ''])
})

t.test('annotations that are not active yet are told once per gang', async t => {
  const h = harness({
    nodes: slots(1),
    pods: pods(2, 'a', one => one.gang('a', 2).annotation('muster.dev/queue', 'true').cpu(1000))
  })
  await h.run(120_000)
  const told = h.notices.filter(notice => notice.reason === 'AnnotationNotActive')
  t.equal(told.length, 1)
  t.match(told[0], { type: 'Warning', note: /not active yet, and without effect: muster\.dev\/queue/ })
})

t.test(
  'a key under muster.dev that nobody knows is told once per gang, and what muster writes itself is not',
  async t => {
    const h = harness({
      nodes: slots(2),
      pods: [
        ...pods(2, 'a', one => one.gang('a', 2).annotation('muster.dev/min-members', '8').cpu(1000)),
        ...pods(1, 'b', one => one.gang('b', 1).annotation('muster.dev/simulated-duration', '1s').cpu(1000))
      ]
    })
    await h.run(120_000)
    t.equal(h.gang('a').state, 'running')
    h.delete('a-0')
    h.add(pod('a-2').gang('a', 2).cpu(1000))
    await h.run(5_000)
    t.ok(h.pod('a-1').annotations.has('muster.dev/plan'))
    const told = h.notices.filter(({ reason }) => reason === 'AnnotationUnknown')
    t.strictSame(
      told.map(({ note }) => note),
      ['gang a: muster knows no annotation muster.dev/min-members; it is without effect']
    )
  }
)

t.test('a gang that waits for its PodGroup says so, and starts when it comes', async t => {
  const h = harness({
    nodes: slots(3),
    pods: pods(2, 'a', one => one.label('scheduling.x-k8s.io/pod-group', 'g').cpu(1000))
  })
  await h.run(5_000)
  t.match(h.gang('g'), { state: 'forming', reason: 'PodGroup ns/g does not exist (scheduling.x-k8s.io)' })
  const words = { roles: new Map<string, number>(), minResources: undefined, timeoutMs: undefined, minMember: 2 }
  h.state.facts.setPodGroup('scheduling.x-k8s.io/ns/g', {
    api: 'scheduling.x-k8s.io',
    namespace: 'ns',
    name: 'g',
    ...words
  })
  await h.run(5_000)
  t.equal(h.gang('g').state, 'running')
})
