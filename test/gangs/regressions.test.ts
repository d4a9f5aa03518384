import t from 'tap'
import { node, nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'
const aged = (name: string) => (each: PodBuilder) => member(name, 3)(each).createdAt(name === 'a' ? 1 : 2)
const sizeless = (each: PodBuilder): PodBuilder => each.gang('a').cpu(1000).gated()
const slots = nodes(3, 'n', each => each.cpu(1))
const member = (name: string, min: number) => (each: PodBuilder) => each.gang(name, min).cpu(1000)

t.test('a nomination of somebody else on planned room does not end the process', async t => {
  const h = harness({ scheduler: false, nodes: nodes(2, 'n', each => each.cpu(2)), pods: pods(2, 'a', member('a', 2)) })
  await h.run(50)
  h.add(pod('x').priority(10).cpu(2000).nominated('n-0'), member('a', 2)(pod('a-2')))
  await h.run(50)
  t.strictSame(h.violations, [])
})

t.test('a binding that never happened does not make an incomplete gang firm for ever', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'a', member('a', 3)) })
  await h.run(50)
  h.api.fault = write => (write.verb === 'bind' ? 'lost before' : 'none')
  const all = [0, 1, 2].map(index => h.bind(`a-${index}`, `n-${index}`))
  await h.run(100)
  await Promise.all(all)
  h.api.fault = () => 'none'
  h.delete('a-2')
  await h.run(200_000)
  t.strictSame([h.gang('a').state, h.held], ['forming', []], 'no room is held for a quorum that does not exist')
  const alone = h.bind('a-0', 'n-0')
  await h.run(20_000)
  t.not(await alone, '')
  t.strictSame(h.bound, [], 'one of three is not bound')
})

t.test('in a tight cluster a node that kube-scheduler refuses is planned around', async t => {
  const h = harness({
    nodes: slots,
    pods: pods(2, 'a', each => member('a', 2)(each).gated()),
    objects: (_, on) => on === 'n-0'
  })
  await h.run(300_000)
  t.strictSame(h.bound.map(each => each.slice(4)).toSorted(), ['n-1', 'n-2'])
})

t.test('a hold that is not used in time goes to its equals', async t => {
  const h = harness({
    scheduler: false,
    nodes: slots,
    pods: [...pods(3, 'a', aged('a')), ...pods(3, 'b', aged('b'))],
    holdTtlMs: 10_000
  })
  const turns: string[] = []
  for (let at = 0; at < 4; at += 1) {
    await h.run(at === 0 ? 1_000 : 10_500)
    turns.push(h.gang('a').plan ? 'a' : h.gang('b').plan ? 'b' : 'nobody')
  }
  t.strictSame(turns, ['a', 'b', 'a', 'b'])
})

t.test('a suspicion ends with the plan that it was about', async t => {
  const h = harness({ scheduler: false, nodes: nodes(2, 'n', each => each.cpu(1)), pods: pods(2, 'a', member('a', 2)) })
  await h.run(100)
  h.api.change('ns/a-0', { scheduled: { status: 'False', reason: 'Unschedulable', message: 'once' } })
  await h.run(100)
  h.node(node('n-1').cpu(1).cordoned())
  await h.run(60_000)
  h.node(node('n-1').cpu(1))
  await h.run(100)
  t.equal(h.gang('a').state, 'planned')
})

t.test('a member that is known to be gone does not count at the barrier', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'a', member('a', 3)) })
  await h.run(50)
  const all = [h.bind('a-0', 'n-0'), h.bind('a-2', 'n-2')]
  await h.run(10)
  h.state.removePod('ns/a-2')
  h.api.pods.delete('ns/a-2')
  all.push(h.bind('a-1', 'n-1'))
  await h.run(100)
  await Promise.all(all)
  t.strictSame(h.bound, [])
})

t.test('late joiners of a settled gang of undeclared size are surplus', async t => {
  const h = harness({ scheduler: false, nodes: nodes(2, 'n', each => each.cpu(1)), pods: pods(2, 'a', sizeless) })
  await h.run(1_500)
  h.add(sizeless(pod('late')))
  await h.run(1_500)
  t.strictSame([h.gang('a').minMember, h.gang('a').state], [2, 'planned'])
})

t.test('the size that leaving members of a former gang declared does not count', async t => {
  const h = harness({
    scheduler: false,
    nodes: nodes(4, 'n', each => each.cpu(1)),
    pods: pods(2, 'old', each => member('a', 2)(each).on('n-0').with({ terminating: true }))
  })
  h.add(pods(2, 'new', member('a', 3)))
  await h.run(100)
  t.strictSame([h.gang('a').minMember, h.gang('a').state, h.held], [3, 'forming', []])
})
t.test(
  'B10 a repeated call for an ordinary pod joins the one under way; a member bound but not seen back is success',
  async t => {
    const h = harness({
      scheduler: false,
      watchDelay: () => 500,
      nodes: [node('n').cpu(2)],
      pods: [pod('o').cpu(1000), ...pods(1, 'a', member('a', 1))]
    })
    await h.run(50)
    const twice = [h.bind('o', 'n'), h.bind('o', 'n')]
    await h.run(50)
    t.strictSame(await Promise.all(twice), ['', ''])
    const first = h.bind('a-0', 'n')
    await h.run(50)
    t.strictSame([await first, await h.bind('a-0', 'n')], ['', ''])
  }
)
