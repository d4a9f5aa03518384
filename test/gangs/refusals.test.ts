import t from 'tap'
import { node, nodes, pods, type PodBuilder } from '../builders.ts'
import { type Harness, harness } from './harness.ts'

const slots = nodes(3, 'n', each => each.cpu(1))
const member = (each: PodBuilder): PodBuilder => each.gang('a', 2).cpu(1000)

/** A gang of two, planned on n-0 and n-1 of three nodes or more; the test is kube-scheduler. */
async function planned(among = slots): Promise<Harness> {
  const h = harness({ scheduler: false, nodes: among, pods: pods(2, 'a', member) })
  await h.run(100)
  t.strictSame(h.nominated, ['a-0@n-0', 'a-1@n-1'])
  return h
}

/** The watch shows that no node passed the in-tree filters. */
const refuse = (h: Harness, message: string): void =>
  h.api.change('ns/a-0', { scheduled: { status: 'False', reason: 'Unschedulable', message } })

t.test('one refusal of kube-scheduler moves nothing: its cache may lag', async t => {
  const h = await planned()
  refuse(h, 'once')
  await h.run(2_900)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
})

t.test('two refusals less than a second apart move nothing either', async t => {
  const h = await planned()
  refuse(h, 'once')
  await h.run(900)
  refuse(h, 'twice')
  await h.run(100)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
})

t.test('after two refusals a second apart no node that looks free is taken for one', async t => {
  const h = await planned()
  refuse(h, 'once')
  await h.run(1_100)
  refuse(h, 'twice')
  await h.run(100)
  t.strictSame([h.gang('a').state, h.held, h.nominated], ['waiting', [], []])
  t.match(h.gang('a').reason, /2 node\(s\) refused by kube-scheduler/)
})

t.test('after one refusal and three seconds of silence neither, until kube-scheduler offers the nodes', async t => {
  const h = await planned()
  refuse(h, 'once')
  await h.run(3_300)
  t.strictSame([h.gang('a').state, h.held], ['waiting', []])
  h.gangs.offered(h.pod('a-0'), () => ['n-2'])
  await h.run(100)
  t.strictSame(h.held, ['a-0@n-1', 'a-1@n-2'])
})

t.test('a member that is refused where another of its gang was taken makes the gang stand apart', async t => {
  const roomy = nodes(3, 'n', each => each.cpu(8))
  const h = harness({ scheduler: false, nodes: roomy, pods: pods(3, 'a', each => each.gang('a', 3).cpu(1000)) })
  await h.run(100)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-0', 'a-2@n-0'], 'tight at first')
  const first = h.bind('a-0', 'n-0')
  h.gangs.refusedInTree(h.pod('a-1'), 'n-0', ['n-1', 'n-2'])
  await h.run(1_100)
  h.gangs.refusedInTree(h.pod('a-1'), 'n-0', ['n-1', 'n-2'])
  await h.run(100)
  t.not(await first, '', 'the plan is withdrawn')
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
})

/** Four members on two nodes, dealt out since they may not all stand together; kube-scheduler has taken one, on n-0. */
async function dealt(): Promise<Harness> {
  const roomy = nodes(2, 'n', each => each.cpu(8))
  const h = harness({ scheduler: false, nodes: roomy, pods: pods(4, 'a', each => each.gang('a', 4).cpu(1000)) })
  await h.run(100)
  void h.bind('a-0', 'n-0')
  for (let time = 0; time < 2; time++) {
    h.gangs.refusedInTree(h.pod('a-1'), 'n-0', ['n-1'])
    await h.run(1_100)
  }
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'a-2@n-0', 'a-3@n-1'])
  void h.bind('a-0', 'n-0')
  return h
}

/** kube-scheduler has no node for a-2, planned on n-0, and says so twice. */
async function refuseThird(h: Harness): Promise<void> {
  for (let time = 0; time < 2; time++) {
    h.gangs.refusedInTree(h.pod('a-2'), 'n-0', [])
    await h.run(1_100)
  }
}

t.test('a refusal while others are on their way to an emptier node is a matter of order, not of number', async t => {
  const h = await dealt()
  await refuseThird(h)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'a-2@n-0', 'a-3@n-1'], 'planned as before')
})

t.test('a refusal when all nodes are filled evenly is a matter of number', async t => {
  const h = await dealt()
  void h.bind('a-1', 'n-1')
  await refuseThird(h)
  t.strictSame([h.gang('a').state, h.held], ['waiting', []])
})

t.test('what was said before others came is a matter of order, when nothing is said after', async t => {
  const h = await dealt()
  h.gangs.refusedInTree(h.pod('a-2'), 'n-0', [])
  await h.run(100)
  void h.bind('a-1', 'n-1')
  void h.bind('a-3', 'n-1')
  await h.run(3_500)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'a-2@n-0', 'a-3@n-1'], 'planned as before, so that it is asked again')
})

t.test('a gang that is refused out of order again and again is not asked for ever', async t => {
  const h = await dealt()
  for (let time = 0; time < 9; time++) {
    t.equal(h.held.length, 4, `after ${time} refusals`)
    void h.bind('a-0', 'n-0')
    await refuseThird(h)
  }
  t.strictSame([h.gang('a').state, h.held], ['waiting', []])
})

t.test('members that may not stand together wait where there are too few nodes', async t => {
  const h = harness({
    nodes: nodes(2, 'n', each => each.cpu(8)),
    pods: pods(3, 'a', each => each.gang('a', 3).cpu(1000)),
    // As a required anti-affinity by hostname does.
    objects: (_, on) => [...h.state.pods()].some(other => h.state.nodeOf(other) === on)
  })
  await h.run(30_000)
  t.strictSame(h.bound.length % 3, 0, 'whole or not at all')
})

t.test('a refused member that comes to be bound after all is believed', async t => {
  const h = await planned()
  refuse(h, 'once')
  await h.run(100)
  const first = h.bind('a-0', 'n-0')
  await h.run(5_000)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
  const all = [first, h.bind('a-1', 'n-1')]
  await h.run(100)
  t.strictSame(await Promise.all(all), ['', ''])
})

t.test('our own words teach nothing', async t => {
  const h = await planned()
  refuse(h, '0/3 nodes are available: 3 muster: the gang does not start yet (`muster explain POD` says why)')
  await h.run(10_000)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
})

/** kube-scheduler refuses n-0, twice, and offers n-2 instead; n-1 is not offered since its room is nominated. */
async function refusedTwice(h: Harness): Promise<void> {
  h.gangs.refusedInTree(h.pod('a-0'), 'n-0', ['n-2'])
  await h.run(1_100)
  h.gangs.refusedInTree(h.pod('a-0'), 'n-0', ['n-2'])
  await h.run(100)
}

t.test('what kube-scheduler offers instead tells where else not to plan', async t => {
  const h = await planned(nodes(4, 'n', each => each.cpu(1)))
  await refusedTwice(h)
  t.strictSame(h.held, ['a-0@n-1', 'a-1@n-2'], 'the room that our own nomination kept is no lesson')
  h.node(node('n-2').cpu(1).cordoned())
  await h.run(100)
  t.strictSame([h.gang('a').state, h.held], ['waiting', []], 'n-3 is: it was free, and not offered')
  t.match(h.gang('a').reason, /2 node\(s\) refused by kube-scheduler/)
})

t.test('a lesson ends when the node changes', async t => {
  const h = await planned()
  await refusedTwice(h)
  h.node(node('n-2').cpu(1).cordoned())
  await h.run(100)
  t.equal(h.gang('a').state, 'waiting')
  h.node(node('n-0').cpu(1).label('changed', 'yes'))
  await h.run(100)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
})

t.test('a lesson ends after two minutes', async t => {
  const h = await planned()
  await refusedTwice(h)
  h.node(node('n-2').cpu(1).cordoned())
  await h.run(100_000)
  t.equal(h.gang('a').state, 'waiting')
  await h.run(60_000)
  t.equal(h.gang('a').state, 'planned')
})

t.test('a gang finds its way round a node that kube-scheduler does not give it', async t => {
  for (const isGated of [true, false]) {
    const h = harness({
      nodes: nodes(4, 'n', each => each.cpu(1)),
      pods: pods(2, 'a', each => (isGated ? member(each).gated() : member(each))),
      objects: (_, on) => on === 'n-0'
    })
    await h.run(30_000)
    t.strictSame(h.bound.map(each => each.slice(4)).toSorted(), ['n-1', 'n-2'], isGated ? 'gated' : 'ungated')
    t.strictSame([h.held, h.nominated], [[], []])
  }
})

t.test('a refusal in the words of the last time is noticed, although nothing is written', async t => {
  const words = {
    status: 'False',
    reason: 'Unschedulable',
    message: '0/2 nodes are available: 2 cannot allocate all claims'
  }
  const members = pods(2, 'a', each => each.gang('a', 2).cpu(1000).with({ scheduled: words }))
  const h = harness({ scheduler: false, nodes: nodes(3, 'n', each => each.cpu(1)), pods: members })
  await h.run(1_000)
  t.strictSame(h.nominated, ['a-0@n-0', 'a-1@n-1'])
  // One comes to be bound; of the other nothing is heard.
  void h.bind('a-0', 'n-0')
  await h.run(4_000)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'], 'it may only be slow')
  await h.run(6_000)
  t.notOk(h.held.includes('a-1@n-1'), 'that node is given up')
})
