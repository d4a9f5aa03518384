import t from 'tap'
import { node, nodes, type NodeBuilder, pod, pods, type PodBuilder } from '../builders.ts'
import { harness, type Harness } from './harness.ts'

/**
 * What went wrong elsewhere, each under the number of its issue (peers.md section 5, reliability.md section 1): the core
 * must not repeat it.
 */
const oneSlot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const slots = (count: number): readonly NodeBuilder[] => nodes(count, 'n', oneSlot)
const member = (name: string, min: number) => (each: PodBuilder) => each.gang(name, min).cpu(1000)
const ofJob = (uid: string) => (one: PodBuilder) => one.with({ controller: { kind: 'Job', name: uid, uid } })
const boundOf = (h: Harness, gang: string): number => h.bound.filter(each => each.startsWith(`${gang}-`)).length

t.test(
  'Volcano 3373, Koordinator 872, scheduler-plugins 114 and 117: gangs that each hold a part deadlock',
  async t => {
    const h = harness({ nodes: slots(5), pods: [] })
    for (let index = 0; index < 4; index += 1) {
      for (const name of ['a', 'b', 'c']) h.add(member(name, 4)(pod(`${name}-${index}`)))
      await h.run(7)
    }
    await h.run(20_000)
    t.strictSame(
      ['a', 'b', 'c'].map(name => boundOf(h, name)).toSorted((a, b) => a - b),
      [0, 0, 4],
      'one whole, the others nothing'
    )
    t.strictSame(h.held, [])
  }
)

t.test('scheduler-plugins 930, HAMi 1832: a race of deletion and binding lets a part through', async t => {
  for (let at = 0; at < 40; at += 1) {
    const h = harness({ nodes: slots(3), pods: pods(3, 'a', member('a', 3)) })
    await h.run(at)
    h.delete('a-1')
    await h.run(60_000)
    t.ok([0, 2].includes(boundOf(h, 'a')), `deleted after ${at} ms: ${h.bound.join()}`)
    if (boundOf(h, 'a') === 2) t.equal(h.gang('a').state, 'degraded', 'it had begun')
  }
})

t.test(
  'Volcano 6010: scale-up of a running gang binds newcomers only where there is room, and blocks nobody',
  async t => {
    const h = harness({ nodes: slots(3), pods: pods(3, 'a', member('a', 3)) })
    await h.run(2_000)
    h.add(member('a', 3)(pod('a-3')), ...pods(1, 'b', member('b', 1)))
    await h.run(2_000)
    t.equal(boundOf(h, 'a'), 3)
    h.node(node('more').cpu(1))
    await h.run(30_000)
    t.equal(boundOf(h, 'a') + boundOf(h, 'b'), 4, 'the new room is used')
  }
)

t.test('Volcano 5805, YuniKorn 1395: a gang below its minimum heals before anybody fills its slot', async t => {
  const h = harness({ nodes: slots(3), pods: pods(3, 'a', member('a', 3)) })
  await h.run(2_000)
  h.add(...pods(1, 'filler', each => each.gang('filler', 1).cpu(1000).priority(0)))
  await h.run(500)
  h.add(member('a', 3)(pod('a-new')))
  await h.run(500)
  h.delete('a-1')
  await h.run(20_000)
  t.equal(boundOf(h, 'a'), 3)
  t.equal(boundOf(h, 'filler'), 0)
})

const done = (one: PodBuilder): PodBuilder => one.on('n-0').with({ phase: 'Succeeded' })

t.test(
  'KAI 1968, Volcano 2633, scheduler-plugins 358 and 364: completed and leaving members are counted right',
  async t => {
    const h = harness({
      nodes: slots(4),
      pods: [
        ...pods(2, 'old', each => done(ofJob('first')(member('a', 3)(each)))),
        ...pods(2, 'new', each => ofJob('second')(member('a', 3)(each)))
      ]
    })
    await h.run(5_000)
    t.equal(h.gang('a').state, 'forming', 'what an earlier run left behind starts nothing')
    h.add(ofJob('second')(member('a', 3)(pod('new-2'))))
    await h.run(5_000)
    t.equal(boundOf(h, 'new'), 3)
  }
)

t.test('slurm-bridge 16: room of a member that is still leaving is not given away', async t => {
  const h = harness({ nodes: slots(1), pods: [member('a', 1)(pod('a-0')).on('n-0').with({ terminating: true })] })
  h.add(member('b', 1)(pod('b-0')))
  await h.run(5_000)
  t.strictSame(h.held, [])
  h.delete('a-0')
  await h.run(30_000)
  t.equal(boundOf(h, 'b'), 1)
})

t.test('scheduler-plugins 713, Volcano 2264: room held for a gang that goes starves nobody', async t => {
  const h = harness({ scheduler: false, nodes: slots(3), pods: pods(3, 'a', member('a', 3)) })
  await h.run(100)
  t.equal(h.held.length, 3)
  h.delete('a-0', 'a-1', 'a-2')
  h.add(...pods(3, 'b', member('b', 3)))
  await h.run(100)
  t.strictSame(
    h.held.map(each => each[0]),
    ['b', 'b', 'b']
  )
})

t.test('Volcano 5131 and 5158: a nomination that somebody erases again and again is no hot loop', async t => {
  const h = harness({ scheduler: false, nodes: slots(2), pods: pods(2, 'a', member('a', 2)) })
  await h.run(100)
  for (let at = 0; at < 300; at += 1) {
    h.api.change('ns/a-0', { nominatedNodeName: undefined })
    await h.run(100)
  }
  const writes = h.api.written('nominate').length
  t.ok(writes < 20, `${writes} nominations in 30 s`)
})

t.test('YuniKorn 1197, 460 and 520, slurm-bridge 43: a restart with stale names harms no healthy pod', async t => {
  const h = harness({ nodes: slots(4), pods: pods(3, 'a', member('a', 3)) })
  await h.run(2_000)
  const before = h.bound
  h.kill()
  h.api.deleteNode('n-3')
  h.node(node('n-9').cpu(1))
  h.add(member('b', 2)(pod('b-0')).nominated('n-3'), member('b', 2)(pod('b-1')).nominated('n-0'))
  h.start()
  await h.run(10_000)
  t.strictSame(
    h.bound.filter(each => each.startsWith('a')),
    before
  )
  t.strictSame([boundOf(h, 'b'), h.nominated, h.held], [0, [], []], 'what cannot be any more is cleared')
  t.strictSame(h.violations, [])
})
