/** What muster believes when what it is told is forged, out of order, said twice, or dated wrongly. */
import t from 'tap'
import { node, nodes, pod, pods, type NodeBuilder, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const member = (each: PodBuilder): PodBuilder => each.gang('a', 3).cpu(1000).gated()
const slot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const hour = 3_600_000
/** When the harness' clock starts. */
const start = Date.UTC(2026, 0, 2, 3, 4, 6)

t.test('a request that lies about a pod is answered as the pod is', async t => {
  const h = harness({
    scheduler: false,
    nodes: nodes(4, 'n', slot),
    pods: [...pods(3, 'a', member), pod('single').cpu(1000)]
  })
  await h.run(100)
  const forged = (name: string, patch: object) => h.gangs.placement({ ...h.pod(name), ...patch })
  const planned = h.gangs.placement(h.pod('a-0'))
  t.match(planned, { kind: 'planned' })
  t.strictSame(forged('a-0', { annotations: new Map(), namespace: 'other' }), planned, 'its gang cannot be denied')
  t.match(forged('single', { annotations: h.pod('a-0').annotations }), { kind: 'ordinary' }, 'nor made up')
  t.match(forged('single', { uid: 'ns/a-0' }), planned, 'a uid names one pod, whatever the name beside it')
  t.match(forged('single', { uid: 'nobody' }), { kind: 'ordinary' }, 'and a pod that is not known holds nothing')
  t.match(
    await h.gangs.bind({ uid: 'nobody', node: 'n-3', signal: new AbortController().signal }),
    /does not know this pod/
  )
  t.strictSame(h.bound, [])
})

t.test('the same question has the same answer, and asking plans nothing', async t => {
  const h = harness({ scheduler: false, nodes: nodes(3, 'n', slot), pods: pods(3, 'a', member) })
  await h.run(100)
  const [held, writes] = [h.held, h.api.writes.length]
  const first = ['a-0', 'a-1', 'a-2'].map(name => h.gangs.placement(h.pod(name)))
  for (let round = 0; round < 100; round++)
    t.strictSame(
      ['a-0', 'a-1', 'a-2'].map(name => h.gangs.placement(h.pod(name))),
      first
    )
  await h.run(100)
  t.strictSame([h.held, h.api.writes.length], [held, writes])
})

t.test('a pod that is heard of before its node takes that room when the node comes', async t => {
  const h = harness({ nodes: nodes(2, 'n', slot), pods: pods(3, 'a', member) })
  h.add(pod('early').cpu(1000).on('late'))
  await h.run(1_000)
  t.strictSame([h.held, h.bound], [[], ['early@late']], 'a node that is not known has no room')
  h.node(node('late').cpu(1))
  await h.run(5_000)
  t.strictSame([h.held, h.bound], [[], ['early@late']], 'nor has one that is full when it comes')
  h.node(node('free').cpu(1))
  await h.run(5_000)
  t.equal(h.bound.length, 4)
})

for (const [way, jump] of [
  ['forth', hour],
  ['back', -hour]
] as const) {
  t.test(`a wall clock that is set ${way} by an hour ends no wait and holds no room longer`, async t => {
    const waits = (each: PodBuilder): PodBuilder =>
      member(each)
        .with({ createdAt: start })
        .annotation('muster.dev/gang-timeout', '30m')
        .annotation('muster.dev/on-timeout', 'fail')
    const h = harness({
      ...{ scheduler: false, holdTtlMs: 60_000, bindTimeoutMs: 20_000, nodes: nodes(3, 'n', slot) },
      pods: [...pods(3, 'a', member), ...pods(4, 'b', each => waits(each).gang('b', 4))]
    })
    await h.run(100)
    const early = h.bind('a-0', 'n-0')
    await h.run(5_000)
    h.clock.skew = jump
    await h.run(5_000)
    t.equal(h.held.length, 3, 'the hold lives')
    const all = [early, h.bind('a-1', 'n-1'), h.bind('a-2', 'n-2')]
    await h.run(100)
    t.strictSame(await Promise.all(all), ['', '', ''], 'and so does the barrier')
    t.strictSame(h.api.written('fail'), [], 'no gang has timed out')
    h.delete('a-0', 'a-1', 'a-2')
    h.node(node('n-3').cpu(1))
    await h.run(2_000)
    t.equal(h.held.length, 4)
    await h.run(61_000)
    t.equal(h.held.length, 0, 'a hold that is not used ends in its time')
    await h.run(1_800_000)
    t.equal(h.api.written('fail').length, 4, 'and a wait in its own')
  })
}
