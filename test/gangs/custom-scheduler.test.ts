import t from 'tap'
import { customScheduler, muster } from '../../policies/index.ts'
import { nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { harness, type Harness, type Options } from './harness.ts'

const name = 'custom-scheduler'
const alone = customScheduler(new Set([name]))
const shared = customScheduler(new Set())
const started = 1_000_000_000

/** Pods of the plan-based scheduler; they ask for little, so that only the rule of one pod to a node keeps them apart. */
const mine = (one: string, priority?: number): PodBuilder => {
  const plain = pod(one).scheduler(name).cpu(10)
  return priority === undefined ? plain : plain.annotation('priority', String(priority))
}
const runs = (one: string, on: string, priority?: number): PodBuilder =>
  mine(one, priority).on(on).with({ startedAt: started })
const group = (one: string, size: number, priority?: number): PodBuilder[] =>
  Array.from({ length: size }, (_, index) => mine(`${one}-${index}`, priority).annotation('pod-group', one))
const declared = (one: string, size: number, priority: number): PodBuilder[] =>
  group(one, size, priority).map(each => each.annotation('muster.dev/min-member', String(size)))
const runningGroup = (one: string, size: number, priority: number): PodBuilder[] =>
  group(one, size, priority).map((each, index) => each.on(`n-${index}`).with({ startedAt: started }))

const scene = (count: number, all: readonly PodBuilder[], options: Options = {}): Harness =>
  harness({
    nodes: nodes(count, 'n', each => each),
    pods: all,
    profiles: new Map([
      ['muster', muster],
      [name, alone]
    ]),
    ...options
  })

const evicted = (h: Harness): string[] => h.api.written('evict').toSorted()
const placed = (h: Harness): string[] => h.bound.map(each => each.split('@')[0] ?? '').toSorted()
const where = (h: Harness): Set<string | undefined> => new Set(h.bound.map(each => each.split('@')[1]))

const table: Record<
  string,
  { nodes: number; pods: readonly PodBuilder[]; runs: readonly string[]; evicts?: readonly string[] }
> = {
  'S3.1 S3.34 S3.61 the higher annotation goes first': {
    nodes: 1,
    pods: [mine('low', 1), mine('high', 2)],
    runs: ['high']
  },
  'S3.32 the annotation is preferred over the PriorityClass': {
    nodes: 1,
    pods: [mine('class').priority(1_000).annotation('priority', '1'), mine('annotated', 2)],
    runs: ['annotated']
  },
  'S3.33 without an annotation the PriorityClass counts': {
    nodes: 1,
    pods: [mine('annotated', 2), mine('class').priority(1_000)],
    runs: ['class']
  },
  'S3.34 without either it is 0': { nodes: 1, pods: [mine('minus', -1), mine('none')], runs: ['none'] },
  'S3.53 what is no integer counts as 0': {
    nodes: 1,
    pods: [mine('one', 1), mine('odd').annotation('priority', '1e9')],
    runs: ['one']
  },
  'S3.2 S3.17 S3.54 one pod to a node, however much room there is': {
    nodes: 2,
    pods: [mine('a'), mine('b'), mine('c')],
    runs: ['a', 'b']
  },
  'S3.22 of equal priority the smaller unit goes first': {
    nodes: 2,
    pods: [...group('big', 2, 5), mine('small', 5).createdAt(9)],
    runs: ['small']
  },
  'S3.3 S3.56 S3.63 a higher one evicts the lowest': {
    nodes: 2,
    pods: [runs('five', 'n-0', 5), runs('three', 'n-1', 3), mine('ten', 10)],
    runs: ['five', 'ten'],
    evicts: ['three']
  },
  'S3.24 S3.27 S3.29 S3.56 nobody moves where a node is free': {
    nodes: 2,
    pods: [runs('one', 'n-0', 1), mine('ten', 10)],
    runs: ['one', 'ten'],
    evicts: []
  },
  'S3.31 an equal one evicts nobody': {
    nodes: 1,
    pods: [runs('one', 'n-0', 1), mine('equal', 1)],
    runs: ['one'],
    evicts: []
  },
  'S3.4 S3.35 S3.57 S3.64 a gang that fits goes whole': { nodes: 3, pods: group('g', 3), runs: ['g-0', 'g-1', 'g-2'] },
  'S3.59 a gang with too little capacity goes not at all': { nodes: 2, pods: group('g', 3), runs: [] },
  'S3.58 a gang evicts as many as it needs, and no more': {
    nodes: 3,
    pods: [runs('a', 'n-0', 1), runs('b', 'n-1', 1), ...group('g', 2, 50)],
    runs: ['a', 'g-0', 'g-1'],
    evicts: ['b']
  },
  'S3.27 what one gang leaves serves all who come first: a single pod is not evicted besides': {
    nodes: 4,
    pods: [...runningGroup('g', 3, 1), runs('other', 'n-3', 1), mine('nine', 9), ...declared('pair', 2, 8)],
    runs: ['nine', 'other', 'pair-0', 'pair-1'],
    evicts: ['g-0', 'g-1', 'g-2']
  },
  'S3.23 S3.55 where the plan is not enough, others are evicted as before: nodes differ': {
    nodes: 2,
    pods: [runs('one', 'n-0', 1), mine('picky', 5).select('kubernetes.io/hostname', 'n-0'), mine('any', 4)],
    runs: ['any', 'picky'],
    evicts: ['one']
  },
  'S3.20 a gang ranks as its lowest member': {
    nodes: 2,
    pods: [
      runs('five', 'n-0', 5),
      mine('g-0', 100).annotation('pod-group', 'g'),
      mine('g-1', 5).annotation('pod-group', 'g')
    ],
    runs: ['five'],
    evicts: []
  },
  'S3.9 S3.25 a gang is evicted whole': {
    nodes: 3,
    pods: [...runningGroup('g', 3, 5), mine('ten', 10)],
    runs: ['ten'],
    evicts: ['g-0', 'g-1', 'g-2']
  },
  'S3.19 S3.65 own pods with schedulerName, priority and pod-group': {
    nodes: 3,
    pods: [...group('g', 2, 7), mine('single', 6)],
    runs: ['g-0', 'g-1', 'single']
  },
  'S3.46 pods of other schedulers are neither planned nor in the way': {
    nodes: 1,
    pods: [pod('other').scheduler('default-scheduler').cpu(10).on('n-0'), mine('mine')],
    runs: ['mine', 'other']
  }
}

for (const [title, { nodes: count, pods: all, runs: want, evicts }] of Object.entries(table)) {
  t.test(title, async t => {
    const h = scene(count, all)
    await h.run(10_000)
    t.strictSame(placed(h), want)
    if (evicts) t.strictSame(evicted(h), evicts)
    t.strictSame(h.held, [])
    t.strictSame(h.violations, [])
  })
}

t.test('S3.28 victims leave before anybody is bound in their place', async t => {
  const h = scene(1, [runs('one', 'n-0', 1).with({ graceMs: 5_000 }), mine('ten', 10)])
  await h.run(4_000)
  t.strictSame([evicted(h), placed(h)], [['one'], ['one']])
  await h.run(10_000)
  t.strictSame(placed(h), ['ten'])
})

const plan = async (given: readonly PodBuilder[]): Promise<readonly string[]> => {
  const h = scene(4, given)
  await h.run(10_000)
  return h.bound
}

t.test('S3.15 the same cluster gets the same plan', async t => {
  const all = [...group('g', 2, 7), mine('a', 3), mine('b', 3), mine('c', 9)]
  t.strictSame(await plan(all.toReversed()), await plan(all))
})

t.test('S3.8 S3.29 S3.60 a pod that is deleted makes room for the next one', async t => {
  const h = scene(1, [mine('a', 2), mine('b', 1)])
  await h.run(5_000)
  t.strictSame(placed(h), ['a'])
  h.delete('a')
  await h.run(5_000)
  t.strictSame(placed(h), ['b'])
})

t.test('S3.48 a preempted pod that is created again waits for its turn', async t => {
  const h = scene(1, [runs('one', 'n-0', 1), mine('ten', 10)])
  await h.run(5_000)
  h.add(mine('again', 1))
  await h.run(20_000)
  t.strictSame(placed(h), ['ten'])
  h.delete('ten')
  await h.run(5_000)
  t.strictSame(placed(h), ['again'])
})

t.test('S3.79 a gang of several Deployments is placed together or not at all', async t => {
  const split = group('g', 3, 5).map((each, index) =>
    each.with({ controller: { kind: 'ReplicaSet', name: `r-${index}`, uid: `r-${index}` } })
  )
  const h = scene(3, [runs('in-the-way', 'n-0', 9), ...split])
  await h.run(10_000)
  t.strictSame(placed(h), ['in-the-way'])
  h.delete('in-the-way')
  await h.run(10_000)
  t.strictSame(placed(h), ['g-0', 'g-1', 'g-2'])
  t.equal(where(h).size, 3)
})

t.test('the switch: with one-pod-per-node off they share nodes as their requests allow', async t => {
  const h = scene(1, [mine('a'), mine('b'), mine('c')], { profiles: new Map([[name, shared]]) })
  await h.run(5_000)
  t.strictSame(placed(h), ['a', 'b', 'c'])
})

t.test('annotations evict nobody of another namespace, but as far as the cap of their own says', async t => {
  for (const { cap, want } of [
    { cap: 0, want: ['victim'] },
    { cap: 50, want: ['attacker'] }
  ]) {
    const victim = runs('victim', 'n-0', 10).namespace('theirs')
    const h = scene(1, [victim, mine('attacker', 2_000_000_000)], {
      priorityCap: namespace => (namespace === 'ns' ? cap : 10)
    })
    await h.run(10_000)
    t.strictSame(placed(h), want, `cap ${cap}`)
  }
})

t.test('S3.5 what waits says why, and is explained by its own name', async t => {
  const h = scene(1, [runs('ten', 'n-0', 10), mine('low', 1)])
  await h.run(5_000)
  const report = h.gangs.reports.pod('ns', 'low')
  t.match(
    report?.explanation,
    /1 node\(s\) had a pod of this scheduler already; no eviction of pods of lower priority would help|already/
  )
  t.strictSame(h.gangs.reports.gangs(), [], 'a pod on its own is no gang')
})

t.test(
  'S3.73 many who wait for the same are planned once for each change, and each is told by its own name',
  async t => {
    const waiting = Array.from({ length: 300 }, (_, index) => mine(`w-${index}`, index % 10))
    const h = scene(20, [...Array.from({ length: 20 }, (_, index) => runs(`r-${index}`, `n-${index}`, 50)), ...waiting])
    await h.run(5_000)
    const plans = async (): Promise<number> => {
      const lines = (await h.metrics())
        .split('\n')
        .filter(line => line.startsWith('muster_plan_duration_seconds_count'))
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    }
    const before = await plans()
    h.delete('r-0')
    await h.run(1_000)
    t.strictSame(
      h.bound.filter(each => each.startsWith('w')),
      ['w-109@n-0'],
      'the first by name of the highest priority'
    )
    t.ok((await plans()) - before < 30, `${(await plans()) - before} plans for 300 that wait`)
    t.match(h.gangs.reports.pod('ns', 'w-8')?.explanation, 'member ns/w-8 finds no node')
  }
)

t.test('gangs of the profile muster keep their own rules beside it', async t => {
  const h = scene(1, [...pods(2, 'm', each => each.gang('m', 2).cpu(10).gated()), mine('c', 1)])
  await h.run(10_000)
  t.strictSame(placed(h), ['c', 'm-0', 'm-1'])
})

t.test('a gang whose members are planned by different rules is refused, and says so', async t => {
  const h = scene(4, [...group('g', 2), pod('g-2').cpu(10).annotation('pod-group', 'g')])
  await h.run(20_000)
  t.strictSame([h.gang('g').state, h.bound], ['refused', []])
  t.equal(
    h.gang('g').reason,
    'schedulerName must lead to one profile for every member: g-0 says custom-scheduler, g-2 says muster'
  )
})

t.test('S3.53 a priority that is no integer counts as 0, with an event that names the rule', async t => {
  const bad = ['NaN', '1e999', '0x10', '１００', '', ' 5', '1.5', '+7', '1_000', '٣']
  const good = ['5', '-5', '0', '99999999999999999999']
  for (const text of [...bad, ...good]) {
    const h = scene(1, [mine('p').annotation('priority', text)])
    await h.run(3_000)
    const notes = h.notices.filter(({ reason }) => reason === 'PriorityIgnored').map(({ note }) => note)
    const want = `gang p: the annotation priority of p must be an integer, such as 100; ${JSON.stringify(text)} counts as 0`
    t.strictSame(notes, bad.includes(text) ? [want] : [], text)
    t.strictSame(placed(h), ['p'])
  }
})

t.test('who evicts is told by the priority that gives the right to: that of the annotation', async t => {
  const h = scene(1, [runs('v', 'n-0', 1), ...declared('g', 1, 50)])
  await h.run(3_000)
  const notes = h.notices.filter(({ reason }) => reason === 'Preempting').map(({ note }) => note)
  t.strictSame(notes, ['gang ns/g of priority 50 evicts ns/v'])
  t.equal(h.gang('g').priority, 50)
})
