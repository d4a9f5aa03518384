import t from 'tap'
import { node, nodes, type NodeBuilder, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const oneSlot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const member = (name: string, min: number) => (each: PodBuilder) => each.gang(name, min).cpu(1000)
const gated = (name: string, min: number) => (each: PodBuilder) => member(name, min)(each).gated()

const running = (one: PodBuilder): PodBuilder => member('a', 2)(one).on('n-0')

t.test('where a gang stands', async t => {
  const cases: Record<string, { readonly pods: readonly PodBuilder[]; readonly want: string }> = {
    'forming while members are missing': { pods: pods(1, 'a', gated('a', 2)), want: 'forming' },
    'forming while others gate a member': {
      pods: [gated('a', 2)(pod('x')), gated('a', 2)(pod('y')).gated('muster.dev/gang', 'quota')],
      want: 'forming'
    },
    'waiting while there is no room': { pods: pods(4, 'a', gated('a', 4)), want: 'waiting' },
    'planned once room is held': { pods: pods(3, 'a', gated('a', 3)), want: 'planned' },
    'running once its quorum stands': { pods: pods(2, 'a', running), want: 'running' },
    'degraded when it has lost a member': { pods: [running(pod('a'))], want: 'degraded' },
    'refused when its size is no number': {
      pods: pods(2, 'a', one => one.gang('a').annotation('muster.dev/min-member', '2.5')),
      want: 'refused'
    },
    'finished when all members are done': {
      pods: pods(2, 'a', one => running(one).with({ phase: 'Succeeded' })),
      want: 'finished'
    },
    'running when done members complete the quorum': {
      pods: [running(pod('x')), running(pod('y')).with({ phase: 'Succeeded' })],
      want: 'running'
    },
    'degraded when a member has failed': {
      pods: [running(pod('x')), running(pod('y')).with({ phase: 'Failed' })],
      want: 'degraded'
    }
  }
  for (const [name, { pods: all, want }] of Object.entries(cases)) {
    const h = harness({ scheduler: false, nodes: nodes(3, 'n', each => each.cpu(1)), pods: all })
    await h.run(10)
    t.equal(h.gang('a').state, want, name)
  }
})

t.test('a gated gang is nominated, then ungated together, then bound', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: pods(2, 'a', gated('a', 3)) })
  await h.run(1_000)
  t.strictSame([h.gang('a').state, h.held, h.nominated], ['forming', [], []], 'nothing for an incomplete gang')
  h.add(pod('a-2').gang('a', 3).cpu(1000).gated())
  await h.run(1_000)
  t.strictSame(h.bound, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  t.strictSame(
    h.api.writes.map(({ verb, record }) => (record ? `${verb} with the plan` : verb)),
    [...Array(3).fill('nominate'), ...Array(3).fill('ungate'), 'bind with the plan', 'bind', 'bind'],
    'three writes a pod, in this order'
  )
  t.strictSame(h.scheduler?.filtered, ['a-0', 'a-1', 'a-2'], 'one filter call a pod')
  t.strictSame([h.gang('a').state, h.held, h.nominated], ['running', [], []])
  const plan = [...h.api.pods.values()].map(each => each.annotations.get('muster.dev/plan'))
  t.strictSame(plan, ['1-1', '1-1', '1-1'])
})

t.test('nobody is ungated before every nomination was seen', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: pods(3, 'a', gated('a', 3)) })
  h.api.fault = write => (write.verb === 'nominate' && write.pod === 'a-1' ? 'refused' : 'none')
  await h.run(20_000)
  t.strictSame(h.nominated, ['a-0@n-0', 'a-2@n-2'])
  t.strictSame(h.api.written('ungate'), [])
  h.api.fault = () => 'none'
  await h.run(15_000)
  t.equal(h.gang('a').state, 'running')
})

t.test('a planned gang says which write the API server keeps refusing, also once its plan has run out', async t => {
  const cases = {
    nominate: /^member ns\/a-1 could not be nominated for node n-1: the API server is tired$/,
    ungate: /^member ns\/a-1 could not be let go: the API server is tired$/
  }
  for (const [verb, want] of Object.entries(cases)) {
    const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: pods(2, 'a', gated('a', 2)) })
    h.api.fault = write => (write.verb === verb && write.pod === 'a-1' ? 'refused' : 'none')
    const tries = () => h.api.writes.filter(write => write.verb === verb && write.pod === 'a-1').length
    for (let ms = 0; tries() === 0 && ms < 1_000; ms++) await h.run(1)
    t.equal(h.gang('a').reason, null, `${verb}: once is no news`)
    await h.run(20_000)
    t.match(h.gang('a'), { state: 'planned', reason: want }, verb)
    const heard = () => h.notices.filter(({ reason }) => reason === 'MemberHindered')
    t.match(heard(), [{ pod: { name: 'a-1' }, type: 'Warning', note: want }], 'one event, however often it is tried')
    for (let ms = 0; h.gang('a').state === 'planned' && ms < 120_000; ms += 100) await h.run(100)
    t.equal(h.gang('a').state, 'waiting', 'its room is given back')
    t.match(h.gang('a').reason, want, `${verb}: and not that all members exist`)
    h.api.fault = () => 'none'
    await h.run(15_000)
    t.strictSame([h.gang('a').state, h.gang('a').reason], ['running', null])
  }
})

t.test('an infeasible gang holds, nominates and ungates nothing, and says why', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: pods(4, 'a', gated('a', 4)) })
  await h.run(40_000)
  t.strictSame([h.held, h.api.writes, h.gang('a').state], [[], [], 'waiting'])
  t.match(h.gang('a').reason, /3 of 4 members fit; member ns\/a-3 finds no node among 3: 3 Insufficient cpu/)
  const heard = new Set(h.notices.map(({ pod: to, reason, type }) => `${to.name} ${type} ${reason}`))
  t.strictSame(
    [...heard].toSorted(),
    [0, 1, 2, 3].map(index => `a-${index} Normal GangWaiting`)
  )
  h.node(node('n-3').cpu(1))
  await h.run(1_000)
  t.equal(h.gang('a').state, 'running', 'a new node wakes it')
})

t.test('of two gangs that fit alone but not together, one runs and the other holds nothing', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot) })
  h.add(pods(2, 'a', gated('a', 2)), pods(2, 'b', gated('b', 2)))
  await h.run(10_000)
  t.strictSame([h.gang('a').state, h.gang('b').state], ['running', 'waiting'])
  t.strictSame([h.held, h.nominated], [[], []])
  h.delete('a-0', 'a-1')
  await h.run(1_000)
  t.strictSame(h.bound.length, 2, 'the room that it leaves is taken')
  t.equal(h.gang('b').state, 'running')
})

t.test('a small gang passes a big one that does not fit', async t => {
  const h = harness({
    nodes: nodes(2, 'n', oneSlot),
    pods: [...pods(3, 'big', gated('big', 3)), ...pods(2, 'small', gated('small', 2))]
  })
  await h.run(1_000)
  t.strictSame([h.gang('big').state, h.gang('small').state], ['waiting', 'running'])
})

t.test('an ungated gang starts as well', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: pods(3, 'a', member('a', 3)) })
  await h.run(5_000)
  t.equal(h.gang('a').state, 'running')
  t.strictSame(h.api.written('ungate'), [])
})

t.test('surplus members come along where there is room, and wait without harm where not', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: pods(4, 'a', gated('a', 2)) })
  await h.run(1_000)
  t.strictSame(h.bound, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  t.strictSame([h.gang('a').state, h.held], ['running', []])
  t.match(h.gang('a').reason, /surplus members wait/)
})

t.test('a degraded gang is repaired, before others of its rank', async t => {
  const h = harness({ nodes: nodes(3, 'n', oneSlot), pods: pods(3, 'a', gated('a', 3)) })
  await h.run(1_000)
  h.add(pods(1, 'b', each => gated('b', 1)(each).createdAt(-1)))
  await h.run(1_000)
  h.delete('a-1')
  h.add(pod('a-9').gang('a', 3).cpu(1000).gated())
  await h.run(5_000)
  t.equal(h.gang('a').state, 'running')
  t.equal(h.gang('b').state, 'waiting')
})

t.test('pods of other schedulers, native groups and single pods are left alone', async t => {
  const others = [
    ...pods(2, 'foreign', each => gated('f', 2)(each).scheduler('default-scheduler')),
    ...pods(2, 'native', each => gated('n', 2)(each).with({ native: true })),
    pod('single').cpu(1000)
  ]
  const h = harness({ scheduler: false, nodes: nodes(9, 'n', oneSlot), pods: others })
  await h.run(40_000)
  t.strictSame([h.api.writes, h.gangs.reports.gangs()], [[], []])
  for (const each of others) t.match(h.gangs.placement(each.obj()), { kind: 'ordinary', bars: undefined })
  const asked = h.bind('single', 'n-0')
  await h.run(10)
  t.strictSame([await asked, h.bound], ['', ['single@n-0']])
})

t.test('gangs of one name in two namespaces never meet', async t => {
  const h = harness({ scheduler: false, nodes: nodes(2, 'n', oneSlot) })
  h.add(
    pods(1, 'a', gated('g', 2)),
    pods(1, 'b', each => gated('g', 2)(each).namespace('other'))
  )
  await h.run(1_000)
  t.strictSame([h.gang('g').state, h.gang('g', 'other').state, h.held], ['forming', 'forming', []])
})
