import t from 'tap'
import { node, nodes, type NodeBuilder, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const oneSlot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const member = (name: string, min: number) => (each: PodBuilder) => each.gang(name, min).cpu(1000).gated()
/** When the harness' clock starts. */
const start = Date.UTC(2026, 0, 2, 3, 4, 6)
/** A gang of 3 for which two nodes have no room, with these annotations. */
const waiting = (annotations: Readonly<Record<string, string>>) =>
  pods(3, 'a', each =>
    Object.entries(annotations)
      .reduce((one, [key, value]) => one.annotation(key, value), member('a', 3)(each))
      .with({ createdAt: start })
  )

t.test('a gang that waits too long', async t => {
  t.test('fails where it says so: its members end, and say why', async t => {
    const h = harness({
      nodes: nodes(2, 'n', oneSlot),
      pods: waiting({ 'muster.dev/gang-timeout': '20s', 'muster.dev/on-timeout': 'fail' })
    })
    await h.run(19_000)
    t.strictSame(h.api.written('fail'), [], 'not before its time')
    await h.run(2_000)
    t.equal(h.api.written('fail').length, 3)
    t.strictSame(
      [...h.api.pods.values()].map(each => each.phase),
      ['Failed', 'Failed', 'Failed']
    )
    t.equal(h.notices.filter(notice => notice.reason === 'GangTimeout').length, 3)
    await h.run(60_000)
    t.equal(h.api.written('fail').length, 3, 'once')
  })

  t.test('is only told so where it is to be kept', async t => {
    const h = harness({
      nodes: nodes(2, 'n', oneSlot),
      pods: waiting({ 'muster.dev/gang-timeout': '20s', 'muster.dev/on-timeout': 'keep' })
    })
    await h.run(21_000)
    t.equal(h.notices.filter(notice => notice.reason === 'GangTimeout').length, 3)
    h.api.setNode(node('more').cpu(1).obj())
    await h.run(1_000)
    t.equal(h.bound.length, 3, 'it starts as soon as there is room')
  })

  t.test('stands back where it is requeued, and its equals go first', async t => {
    const h = harness({
      nodes: nodes(2, 'n', oneSlot),
      pods: waiting({ 'muster.dev/gang-timeout': '20s' })
    })
    await h.run(20_500)
    h.add(...pods(3, 'b', each => member('b', 3)(each).with({ createdAt: start + 20_000 })))
    h.api.setNode(node('more').cpu(1).obj())
    await h.run(1_000)
    t.strictSame(
      h.bound.map(each => each[0]),
      ['b', 'b', 'b']
    )
    for (const name of ['n-10', 'n-11', 'n-12']) h.api.setNode(node(name).cpu(1).obj())
    await h.run(5_000)
    t.equal(h.bound.length, 3, 'not while it stands back')
    await h.run(10_000)
    t.equal(h.bound.length, 6, 'then it has its turn')
  })

  t.test('is left alone while its room is held, and once it has started', async t => {
    const h = harness({
      nodes: nodes(3, 'n', oneSlot),
      pods: waiting({ 'muster.dev/gang-timeout': '5s', 'muster.dev/on-timeout': 'fail' })
    })
    await h.run(60_000)
    t.equal(h.bound.length, 3)
    t.strictSame(h.api.written('fail'), [])
  })
})

const broken = (policy: string): PodBuilder[] => {
  const one = (name: string): PodBuilder => pod(name).gang('a', 3).cpu(1000).annotation('muster.dev/on-partial', policy)
  return [one('a-0').on('n-0'), one('a-1').on('n-1'), one('a-2')]
}

t.test('a gang that stays broken', async t => {
  t.test('is evicted whole where it says so', async t => {
    const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: broken('evict') })
    await h.run(59_000)
    t.strictSame(h.api.written('evict'), [], 'not before the repair timeout')
    await h.run(2_000)
    t.strictSame(h.api.written('evict'), ['a-0', 'a-1'])
  })

  t.test('is held otherwise, and completed when there is room', async t => {
    const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: broken('hold') })
    await h.run(120_000)
    t.strictSame(h.api.written('evict'), [])
    h.api.setNode(node('more').cpu(1).obj())
    await h.run(1_000)
    t.equal(h.gang('a').state, 'running')
  })

  t.test('is evicted again where a disruption budget said no at first', async t => {
    const h = harness({ nodes: nodes(2, 'n', oneSlot), pods: broken('evict') })
    h.api.fault = write => (write.verb === 'evict' ? 'refused' : 'none')
    await h.run(70_000)
    const tries = h.api.written('evict').length
    t.ok(tries >= 2 && tries <= 6, `${tries} tries in 10 s`)
    h.api.fault = () => 'none'
    await h.run(6_000)
    t.strictSame(h.bound, [])
  })
})

t.test('min-resources beyond the cluster are said before anybody searches', async t => {
  const h = harness({
    nodes: nodes(2, 'n', oneSlot),
    pods: pods(1, 'a', each => each.gang('a', 1).cpu(100).annotation('muster.dev/min-resources', '{"cpu":"2500m"}'))
  })
  await h.run(2_000)
  t.equal(h.gang('a').state, 'waiting')
  t.match(h.gang('a').reason ?? '', /min-resources are more than the whole cluster has: 2500m cpu of 2$/)
})
