import t from 'tap'
import { nodes, node, pod, type NodeBuilder, type PodBuilder } from '../builders.ts'
import { schedule } from '../../policies/schedule.ts'
import { group, mine, planOf, policyOf } from './clusters.ts'

const on = (one: PodBuilder, at: string): PodBuilder => one.on(at)
const standing = (one: string, size: number, priority: number, from = 0): PodBuilder[] =>
  group(one, size, priority).map((each, index) => each.on(`n-${index + from}`))

type Case = {
  readonly nodes: number | readonly NodeBuilder[]
  readonly pods: readonly PodBuilder[]
  readonly bind?: readonly string[]
  readonly preempt?: readonly string[]
  readonly waiting?: readonly string[]
  readonly former?: ReadonlyMap<string, string>
}

const cases: Record<string, Case> = {
  'S3.14 S3.52 a cluster without pods needs nothing': { nodes: 2, pods: [] },
  'S3.52 a cluster without nodes binds nobody': { nodes: 0, pods: [mine('a')], waiting: ['a'] },
  'S3.16 S3.28 the actions are binds and preemptions, each victim with the pod that takes its node': {
    nodes: 1,
    pods: [on(mine('one', 1), 'n-0'), mine('ten', 10)],
    bind: ['ten@n-0'],
    preempt: ['one>ten']
  },
  'S3.17 S3.54 one pod to a node, however much room there is': {
    nodes: 2,
    pods: [mine('a'), mine('b'), mine('c')],
    bind: ['a@n-0', 'b@n-1'],
    waiting: ['c']
  },
  'S3.54 nodes that take nobody are not available: cordoned, not ready, tainted, or without the amounts': {
    nodes: [
      node('a').cordoned(),
      node('b').notReady(),
      node('c').taint('x'),
      node('d').allocatable('cpu', 5),
      node('e')
    ],
    pods: [mine('p'), mine('q')],
    bind: ['p@e'],
    waiting: ['q']
  },
  'S3.54 pods of others only use room': {
    nodes: [node('a').cpu(1), node('b').cpu(1)],
    pods: [pod('big').cpu(1000).on('a'), pod('small').cpu(10).on('b'), mine('p')],
    bind: ['p@b']
  },
  'S3.53 S3.61 higher priority first: the annotation, else the PriorityClass, else 0': {
    nodes: 3,
    pods: [mine('none'), mine('class').priority(5), mine('annotated', 7).priority(1), mine('minus', -1)],
    bind: ['annotated@n-0', 'class@n-1', 'none@n-2'],
    waiting: ['minus']
  },
  'S3.18 S3.21 S3.22 of equal priority the smaller unit first, then the older, then by name': {
    nodes: 4,
    pods: [
      ...group('pair', 2, 5),
      mine('young', 5).createdAt(9),
      mine('b', 5).createdAt(1),
      mine('a', 5).createdAt(1),
      mine('low', 4)
    ],
    bind: ['a@n-0', 'b@n-1', 'young@n-2', 'low@n-3'],
    waiting: ['pair']
  },
  'S3.19 S3.57 pods of one group are one unit, and go whole': {
    nodes: 3,
    pods: group('g', 3),
    bind: ['g-0@n-0', 'g-1@n-1', 'g-2@n-2']
  },
  'S3.59 a gang with too little capacity goes not at all, and who fits goes instead of it': {
    nodes: 2,
    pods: [...group('g', 3, 9), mine('small', 1)],
    bind: ['small@n-0'],
    waiting: ['g']
  },
  'S3.20 a gang has the priority of its lowest member': {
    nodes: 2,
    pods: [
      on(mine('five', 5), 'n-0'),
      mine('g-0', 100).annotation('pod-group', 'g'),
      mine('g-1', 5).annotation('pod-group', 'g')
    ],
    waiting: ['g']
  },
  'S3.23 the top units that fit the whole capacity are taken': {
    nodes: 5,
    pods: [...group('high', 3, 9), ...group('middle', 3, 5), ...group('low', 2, 1), mine('last', 0)],
    bind: ['high-0@n-0', 'high-1@n-1', 'high-2@n-2', 'low-0@n-3', 'low-1@n-4'],
    waiting: ['middle', 'last']
  },
  'S3.24 S3.27 S3.56 nobody moves where a node is free': {
    nodes: 2,
    pods: [on(mine('one', 1), 'n-0'), mine('ten', 10)],
    bind: ['ten@n-1']
  },
  'S3.25 S3.55 the victims are those on nodes who are not among the top units': {
    nodes: 3,
    pods: [on(mine('five', 5), 'n-0'), on(mine('three', 3), 'n-1'), on(mine('four', 4), 'n-2'), mine('ten', 10)],
    bind: ['ten@n-1'],
    preempt: ['three>ten']
  },
  'S3.26 S3.29 who is new takes a free node before one that victims leave': {
    nodes: 3,
    pods: [on(mine('a', 1), 'n-0'), on(mine('b', 5), 'n-1'), mine('ten', 10), mine('nine', 9)],
    bind: ['ten@n-2', 'nine@n-0'],
    preempt: ['a>nine']
  },
  'S3.31 S3.55 an equal one evicts nobody, however small': {
    nodes: 2,
    pods: [...standing('g', 2, 5), mine('equal', 5)],
    waiting: ['equal']
  },
  'S3.31 a gang on nodes stays until higher work needs one of them, and then goes whole': {
    nodes: 3,
    pods: [...standing('g', 3, 5), mine('ten', 10)],
    bind: ['ten@n-0'],
    preempt: ['g-0>ten', 'g-1>ten', 'g-2>ten']
  },
  'S3.27 S3.58 a gang of higher priority evicts as many as it needs, and a lower one takes what is left': {
    nodes: 4,
    pods: [...standing('g', 3, 5), on(mine('four', 4), 'n-3'), ...group('h', 2, 9), mine('low', 1)],
    bind: ['h-0@n-0', 'h-1@n-1', 'low@n-2'],
    preempt: ['g-0>h-0', 'g-1>h-1', 'g-2>low']
  },
  'S3.27 what one gang leaves serves two: nobody else is evicted': {
    nodes: 4,
    pods: [...standing('g', 3, 1), on(mine('other', 1), 'n-3'), mine('nine', 9), ...group('pair', 2, 8)],
    bind: ['nine@n-0', 'pair-0@n-1', 'pair-1@n-2'],
    preempt: ['g-0>nine', 'g-1>pair-0', 'g-2>pair-1']
  },
  'S3.55 victims of lower priority leave first, and nobody leaves for a gang that finds no room': {
    nodes: 2,
    pods: [on(mine('a', 1), 'n-0'), on(mine('b', 9), 'n-1'), ...group('g', 2, 5)],
    waiting: ['g']
  },
  'S3.27 of equals on nodes one pod leaves rather than a gang': {
    nodes: 6,
    pods: [...standing('large', 3, 1), ...standing('small', 2, 1, 3), on(mine('one', 1), 'n-5'), mine('a', 9)],
    bind: ['a@n-5'],
    preempt: ['one>a']
  },
  'S3.27 of equals on nodes a small gang leaves rather than a large one, and nobody besides': {
    nodes: 6,
    pods: [
      ...[...standing('large', 3, 1), ...standing('small', 2, 1, 3), on(mine('one', 1), 'n-5')],
      ...[mine('a', 9), mine('b', 8)]
    ],
    bind: ['a@n-3', 'b@n-4'],
    preempt: ['small-0>a', 'small-1>b']
  },
  'S3.56 a single pod of lower priority waits': {
    nodes: 1,
    pods: [on(mine('ten', 10), 'n-0'), mine('one', 1)],
    waiting: ['one']
  },
  'S3.24 who is planned already keeps the node': {
    nodes: 3,
    pods: [mine('a', 5), mine('b', 5), mine('first', 9)],
    former: new Map([
      ['ns/a', 'n-0'],
      ['ns/b', 'n-2']
    ]),
    bind: ['first@n-1', 'a@n-0', 'b@n-2']
  },
  'a former node that another stands on is none': {
    nodes: 2,
    pods: [on(mine('a', 5), 'n-0'), mine('b', 5)],
    former: new Map([['ns/b', 'n-0']]),
    bind: ['b@n-1']
  },
  'S3.60 a pod that is on its way out leaves its node to the next, after those where nobody is': {
    nodes: 2,
    pods: [on(mine('out', 9), 'n-0').with({ terminating: true }), mine('a', 2), mine('b', 1)],
    bind: ['a@n-1', 'b@n-0']
  },
  'pods that are done, or kept back by others, are not planned': {
    nodes: 3,
    pods: [
      on(mine('done'), 'n-0').with({ phase: 'Succeeded' }),
      mine('gated').gated('example.com/quota'),
      mine('ours').gated()
    ],
    bind: ['ours@n-0']
  },
  'a gang is not planned before its quorum is there': {
    nodes: 3,
    pods: group('g', 2).map(each => each.annotation('muster.dev/min-member', '3'))
  },
  'who is more than the quorum waits until the gang has begun': {
    nodes: 3,
    pods: group('g', 3).map(each => each.annotation('muster.dev/min-member', '2')),
    bind: ['g-0@n-0', 'g-1@n-1']
  },
  'a gang that has begun gets its missing member back': {
    nodes: 2,
    pods: [...standing('g', 1, 5), ...group('g', 2, 5).slice(1), mine('six', 6)],
    bind: ['six@n-1'],
    waiting: ['g-1']
  },
  'a member is not added to a gang that is evicted': {
    nodes: 3,
    pods: [...standing('g', 2, 5), ...group('g', 3, 5).slice(2), ...group('h', 2, 9)],
    bind: ['h-0@n-2', 'h-1@n-0'],
    preempt: ['g-0>h-1', 'g-1>h-1'],
    waiting: ['g-2']
  },
  'who may never be evicted is not': {
    nodes: 1,
    pods: [
      on(mine('agent', 1), 'n-0').with({ controller: { kind: 'DaemonSet', name: 'd', uid: 'd' } }),
      mine('ten', 10)
    ],
    waiting: ['ten']
  },
  'for whom others may not be evicted waits for a free node': {
    nodes: 2,
    pods: [
      on(mine('one', 1), 'n-0'),
      mine('modest', 10).with({ preempts: false }),
      mine('modest-too', 9).with({ preempts: false })
    ],
    bind: ['modest@n-1'],
    waiting: ['modest-too']
  },
  'an annotation evicts nobody of another namespace': {
    nodes: 2,
    pods: [
      on(mine('theirs', 1).namespace('other'), 'n-0'),
      on(mine('ours', 2), 'n-1'),
      mine('ten', 10),
      mine('nine', 9)
    ],
    bind: ['ten@n-1'],
    preempt: ['ours>ten'],
    waiting: ['nine']
  },
  'pods that fit few nodes get those, whoever comes first by name': {
    nodes: [node('a').label('gpu', 'x'), node('b')],
    pods: [mine('any', 9), mine('picky', 1).select('gpu', 'x')],
    bind: ['any@b', 'picky@a']
  },
  'who stands on a node that others need stays, and nobody is evicted in vain': {
    nodes: [node('a').label('gpu', 'x'), node('b')],
    pods: [on(mine('any', 5), 'a'), mine('picky', 1).select('gpu', 'x'), mine('blind', 9).select('gpu', 'y')],
    waiting: ['blind', 'picky']
  }
}

for (const [title, { nodes: given, pods, former, bind = [], preempt = [], waiting = [] }] of Object.entries(cases)) {
  t.test(title, async t => {
    const all = typeof given === 'number' ? nodes(given) : given
    const told = former ? { former } : {}
    t.strictSame(planOf(all, pods, told), { bind, preempt, waiting })
    t.strictSame(planOf(all.toReversed(), pods.toReversed(), told), { bind, preempt, waiting }, 'S3.15 in any order')
  })
}

t.test('S3.15 the same cluster gets the same actions, in whatever order it is told', async t => {
  const all = [...group('g', 2, 7), ...standing('h', 2, 3), mine('a', 3), mine('b', 3), mine('c', 9)]
  const want = planOf(nodes(4), all)
  for (let turn = 1; turn < all.length; turn++)
    t.strictSame(planOf(nodes(4), [...all.slice(turn), ...all.slice(0, turn)]), want, `begun at ${turn}`)
})

t.test('S3.13 the arguments are never changed', async t => {
  const all = [on(mine('one', 1), 'n-0'), ...group('g', 2, 5), mine('ten', 10)].map(each => Object.freeze(each.obj()))
  const given = nodes(2).map(each => Object.freeze(each.obj()))
  const cluster = Object.freeze({ nodes: Object.freeze(given), pods: Object.freeze(all) })
  t.strictSame(
    schedule(cluster, policyOf(), new Map()).bind.map(each => each.pod.name),
    ['ten']
  )
})
