import { inspect } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import type { Body, Budget } from '../../policies/bodies.ts'
import { type FilterPlugin, type Profile, runFilters } from '../../policies/framework.ts'
import { customScheduler, muster } from '../../policies/index.ts'
import { plan } from '../../policies/planner.ts'
import { joined, type Snapshot } from '../../policies/snapshot.ts'
import type { Pod } from '../../policies/types.ts'
import { type Eviction, victims } from '../../policies/victims.ts'
import { node, type NodeBuilder, type PodBuilder, pod, snapshot } from '../builders.ts'

type Build = (name: string) => PodBuilder
type Case = {
  readonly nodes: readonly NodeBuilder[]
  /** Pods that may not go. */
  readonly others: readonly PodBuilder[]
  readonly bodies: readonly Body[]
  readonly budgets: readonly Budget[]
  readonly gang: readonly PodBuilder[]
  readonly need: number
  readonly profile: Profile
}

/** Refuses for amounts, as its contract allows, without saying that it looks at pods. */
const roomy = {
  name: 'Roomy',
  filter: ({ requests }, { node: { allocatable }, used }) =>
    (used.get('cpu') ?? 0) + (requests.get('cpu') ?? 0) > (allocatable.get('cpu') ?? 0) * 0.6
      ? { code: 'Unschedulable', reason: 'more than half full' }
      : { code: 'Success' }
} satisfies FilterPlugin
const profiles = [
  muster,
  muster,
  customScheduler(new Set(['muster'])),
  { ...muster, name: 'roomy', filters: [...muster.filters, roomy] },
  { ...muster, name: 'nothing counts', filters: muster.filters.filter(filter => filter.name !== 'NodeResources') }
]

const anyNode = fc
  .record({ cpu: fc.integer({ min: 1, max: 4 }), gpu: fc.nat(2), taint: fc.nat(5), maxPods: fc.constantFrom(2, 4, 9) })
  .map(({ cpu, gpu, taint, maxPods }) => (name: string) => {
    const plain = node(name).cpu(cpu).allocatable('gpu/x', gpu).maxPods(maxPods)
    return taint === 0 ? plain.taint('t') : plain
  })
const anyPod: fc.Arbitrary<Build> = fc
  .record({
    cpu: fc.nat(4),
    gpu: fc.constantFrom(0, 0, 0, 1),
    port: fc.nat(7),
    scheduler: fc.constantFrom('muster', 'x')
  })
  .map(({ cpu, gpu, port, scheduler }) => (name: string) => {
    const plain = pod(name).scheduler(scheduler)
    const asking = plain.cpu(cpu * 500).request('gpu/x', gpu)
    return port === 0 ? asking.port(80) : asking
  })
const anyMember: fc.Arbitrary<Build> = fc.tuple(fc.nat(5), anyPod).map(([tolerates, build]) => (name: string) => {
  const one = build(name).priority(9).scheduler('muster')
  return tolerates === 0 ? one.tolerate({ operator: 'Exists' }) : one
})
const placed = fc.tuple(fc.nat(99), anyPod)
const anyBody = fc.record({
  pods: fc.oneof(fc.tuple(placed), fc.array(placed, { minLength: 2, maxLength: 4 })),
  surplus: fc.nat(2),
  whole: fc.constantFrom(true, true, true, false),
  worth: fc.array(fc.record({ priority: fc.nat(2), lostWork: fc.nat(3) }), { minLength: 4, maxLength: 4 })
})

const stepsOf = ({ pods, surplus, whole }: Body) => surplus.length + (whole && pods.length > surplus.length ? 1 : 0)

function cpuOf(one: NodeBuilder | PodBuilder): number {
  const its = one.obj()
  return ('shape' in its ? its.shape.requests : its.allocatable).get('cpu') ?? 0
}

/** Puts pods where they find room, looking from some node onwards; where there is none, that node gets too full. */
function placing(nodes: readonly NodeBuilder[]) {
  const used = new Map<string, number>()
  return (one: PodBuilder, from: number): PodBuilder => {
    const turn = nodes.map((_, index) => nodes[(from + index) % nodes.length]!)
    const at = turn.find(each => (used.get(each.obj().name) ?? 0) + cpuOf(one) <= cpuOf(each)) ?? turn[0]!
    const { name } = at.obj()
    used.set(name, (used.get(name) ?? 0) + cpuOf(one))
    return one.on(name)
  }
}

type Size = {
  readonly nodes: number
  readonly bodies: readonly [least: number, most: number]
  readonly steps: number
  readonly members: number
}
/** So small that everything can be tried. */
const small: Size = { nodes: 5, bodies: [1, 10], steps: 10, members: 6 }
/** So large that not everything is tried. */
const large: Size = { nodes: 16, bodies: [36, 50], steps: 999, members: 12 }

const anyCase = (size: Size) =>
  fc
    .record({
      nodes: fc.array(anyNode, { minLength: 1, maxLength: size.nodes }),
      others: fc.array(placed, { maxLength: 2 }),
      bodies: fc.array(anyBody, { minLength: size.bodies[0], maxLength: size.bodies[1] }),
      budgets: fc.array(fc.record({ picks: fc.array(fc.nat(99), { maxLength: size.steps }), allowed: fc.nat(3) }), {
        maxLength: 2
      }),
      kinds: fc.array(anyMember, { minLength: 1, maxLength: 3 }),
      members: fc.array(fc.nat(2), { minLength: 1, maxLength: size.members }),
      spare: fc.constantFrom(0, 0, 0, 1, 2),
      profile: fc.constantFrom(...profiles)
    })
    .map(({ nodes, others, bodies, budgets, kinds, members, spare, profile }) => {
      const built = nodes.map((build, index) => build(`n${index}`))
      const place = placing(built)
      const all: Body[] = []
      for (const [index, { pods, surplus, whole, worth }] of bodies.entries()) {
        const standing = pods.map(([at, build], which) => place(build(`b${index}-${which}`), at).obj())
        const body = {
          key: `ns/b${index}`,
          pods: standing,
          surplus: standing.length === 1 ? [] : standing.toReversed().slice(0, surplus),
          whole: standing.length === 1 || whole,
          worth: new Map(standing.map((one, which) => [one.uid, worth[which]!]))
        }
        if (all.reduce((sum, each) => sum + stepsOf(each), stepsOf(body)) <= size.steps) all.push(body)
      }
      const uids = all.flatMap(body => body.pods.map(one => one.uid))
      const gang = members.map((kind, index) => kinds[kind % kinds.length]!(`m${index}`))
      const one = {
        nodes: built,
        others: others.map(([at, build], index) => place(build(`o${index}`), at)),
        bodies: all,
        budgets: budgets.map(({ picks, allowed }) => ({
          uids: new Set(picks.flatMap(pick => uids[pick % uids.length] ?? [])),
          allowed
        })),
        gang,
        need: Math.max(0, gang.length - spare),
        profile
      }
      const shown = () =>
        inspect({ ...one, nodes: built.map(each => each.obj()), gang: gang.map(each => each.obj()) }, { depth: 6 })
      return { ...one, [fc.toStringMethod]: shown } as Case
    })

const bound = ({ bodies }: Pick<Case, 'bodies'>) => bodies.flatMap(body => body.pods)
const cluster = ({ nodes, others, bodies }: Pick<Case, 'nodes' | 'others' | 'bodies'>): Snapshot =>
  snapshot(nodes, others).with(bound({ bodies }).map(one => ({ node: one.nodeName!, pod: one })))
const requestOf = ({ gang, need, bodies, budgets }: Case) => {
  const pods = gang.map(each => each.obj())
  return { pods, need, refused: new Map<string, ReadonlySet<string>>(), bodies, budgets }
}
const ask = (one: Case) => victims(cluster(one), requestOf(one), one.profile)
const without = (one: Case, gone: readonly Pod[]) =>
  cluster(one).without(gone.map(pod => ({ node: pod.nodeName!, pod })))
const planWithout = (one: Case, gone: readonly Pod[]) => plan(without(one, gone), requestOf(one), one.profile)

/** Who goes of each body: nobody, the first of the surplus, all of it, everybody. */
function choices({ pods, surplus, whole }: Body): readonly (readonly Pod[])[] {
  const prefixes = [[], ...surplus.map((_, index) => surplus.slice(0, index + 1))]
  return whole && pods.length > surplus.length ? [...prefixes, pods] : prefixes
}
type Cost = readonly [priority: number, gangs: number, lostWork: number, pods: number]
function costOf(bodies: readonly Body[], gone: ReadonlySet<string>): Cost {
  const going = bodies.flatMap(({ pods, worth }) =>
    pods.filter(each => gone.has(each.uid)).map(each => worth.get(each.uid)!)
  )
  const whole = bodies.filter(({ pods }) => pods.length > 1 && pods.every(each => gone.has(each.uid)))
  return [
    Math.max(-1, ...going.map(each => each.priority)),
    whole.length,
    going.reduce((sum, each) => sum + each.lostWork, 0),
    going.length
  ]
}
const compareCosts = (a: Cost, b: Cost) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3]
const uidsOf = (pods: readonly Pod[]) => new Set(pods.map(each => each.uid))
const goingOf = ({ victims: all }: Eviction) => all.map(victim => victim.pod)
const isWithin = (budgets: readonly Budget[], gone: ReadonlySet<string>) =>
  budgets.every(({ uids, allowed }) => [...uids].filter(uid => gone.has(uid)).length <= allowed)

/** All sets of pods that may go together, whether they help or not. */
function* legal({ bodies, budgets }: Case): Generator<readonly Pod[]> {
  let sets: readonly (readonly Pod[])[] = [[]]
  for (const body of bodies) sets = sets.flatMap(set => choices(body).map(more => [...set, ...more]))
  for (const set of sets) if (isWithin(budgets, uidsOf(set))) yield set
}
/** The least cost after which the gang fits, by trying everything. */
function oracle(one: Case): Cost | undefined {
  let least: Cost | undefined
  for (const set of legal(one)) {
    const cost = costOf(one.bodies, uidsOf(set))
    if (least && compareCosts(cost, least) >= 0) continue
    if (planWithout(one, set).outcome === 'planned') least = cost
  }
  return least
}
/** The sets that are left when one step is put back. */
function* spared({ bodies }: Case, answer: Eviction): Generator<readonly Pod[]> {
  const gone = uidsOf(goingOf(answer))
  for (const body of bodies) {
    const mine = body.pods.filter(each => gone.has(each.uid))
    if (mine.length === 0) continue
    const others = goingOf(answer).filter(each => !mine.includes(each))
    const fewer = choices(body).filter(choice => choice.length < mine.length)
    yield [...others, ...fewer.at(-1)!]
  }
}

const runs = { numRuns: 1500, seed: 7 }
/** On small clusters and on large ones. */
function holds(name: string, property: (one: Case) => boolean, sizes: readonly Size[] = [small, large]) {
  t.test(name, async () => {
    for (const size of sizes) {
      fc.assert(fc.property(anyCase(size), property), size === small ? runs : { ...runs, numRuns: 300 })
    }
  })
}

holds('the whole need fits after the victims have gone', one => {
  const answer = ask(one)
  if (answer.outcome !== 'evict') return true
  const left = without(one, goingOf(answer))
  const want = planWithout(one, goingOf(answer))
  if (want.outcome !== 'planned' || inspect(want.nodes) !== inspect(answer.nodes)) return false
  const infos = new Map(left.nodes.map(info => [info.node.name, info]))
  for (const member of requestOf(one).pods) {
    const name = answer.nodes.get(member.uid)
    if (name === undefined) continue
    if (runFilters(one.profile.filters, member.shape, infos.get(name)!) !== undefined) return false
    infos.set(name, joined(infos.get(name)!, member))
  }
  return answer.nodes.size >= one.need
})

holds('no victim can be spared', one => {
  const answer = ask(one)
  if (answer.outcome !== 'evict') return true
  return [...spared(one, answer)].every(set => planWithout(one, set).outcome === 'infeasible')
})

holds('no gang is half evicted', one => {
  const answer = ask(one)
  if (answer.outcome !== 'evict') return true
  const gone = Map.groupBy(answer.victims, victim => victim.body)
  const known = new Set(one.bodies.map(body => body.key))
  return (
    [...gone.keys()].every(key => known.has(key)) &&
    one.bodies.every(body => {
      const mine = uidsOf((gone.get(body.key) ?? []).map(victim => victim.pod))
      return choices(body).some(choice => choice.length === mine.size && choice.every(each => mine.has(each.uid)))
    })
  )
})

holds('nothing is evicted when it would not help', one => {
  const answer = ask(one)
  const asIs = planWithout(one, [])
  if (asIs.outcome === 'planned') return answer.outcome === 'evict' && answer.victims.length === 0
  if (answer.outcome === 'evict') return answer.victims.length > 0
  return answer.outcome === asIs.outcome && answer.message.startsWith(`${asIs.message}; no eviction `)
})

holds('no disruption budget is exceeded', one => {
  const answer = ask(one)
  return answer.outcome !== 'evict' || isWithin(one.budgets, uidsOf(goingOf(answer)))
})

holds(
  'on small clusters they are the cheapest',
  one => {
    const answer = ask(one)
    const want = oracle(one)
    if (answer.outcome !== 'evict') return want === undefined
    return want !== undefined && compareCosts(costOf(one.bodies, uidsOf(goingOf(answer))), want) === 0
  },
  [small]
)

/** The most that may go of each body under some condition; budgets apart. */
const most = (bodies: readonly Body[], may: (going: readonly Pod[], body: Body) => boolean): readonly Pod[] =>
  bodies.flatMap(body => choices(body).findLast(choice => may(choice, body)) ?? [])

holds('nobody of higher priority goes, and no gang whole, where others would do', one => {
  const free = { ...one, budgets: [] }
  const answer = ask(free)
  if (answer.outcome !== 'evict' || answer.victims.length === 0) return true
  const [priority, gangs] = costOf(one.bodies, uidsOf(goingOf(answer)))
  const lower = most(one.bodies, (going, { worth }) => going.every(each => worth.get(each.uid)!.priority < priority))
  const partly = most(
    one.bodies,
    (going, { worth, pods }) =>
      (pods.length === 1 || going.length < pods.length) &&
      going.every(each => worth.get(each.uid)!.priority <= priority)
  )
  return (
    planWithout(free, lower).outcome !== 'planned' && (gangs === 0 || planWithout(free, partly).outcome !== 'planned')
  )
})

const turned = <T>(items: readonly T[], by: number): T[] => items.map((_, index) => items[(index + by) % items.length]!)

holds('orders change nothing', one => {
  for (const by of [1, 7]) {
    const bodies = turned(one.bodies, by).map(body => ({ ...body, pods: turned(body.pods, by) }))
    const moved = { ...one, nodes: turned(one.nodes, by), others: turned(one.others, by), bodies }
    if (inspect(ask(moved), { depth: 5 }) !== inspect(ask(one), { depth: 5 })) return false
  }
  return true
})

/** Another name, which stands elsewhere in the order. */
const other = (name: string) => `${(Number(/\d+/.exec(name)) * 17) % 101}`

holds(
  'names change only names',
  one => {
    const renamed = one.bodies.map(({ key, pods, surplus, ...body }) => {
      const change = (each: Pod) => ({ ...each, name: `x${other(key)}-${each.name}`, nodeName: other(each.nodeName!) })
      return { ...body, key: other(key), pods: pods.map(change), surplus: surplus.map(change) }
    })
    const strange = {
      ...one,
      nodes: one.nodes.map(each => each.with({ name: other(each.obj().name) })),
      others: one.others.map(each => each.on(other(each.obj().nodeName!))),
      bodies: renamed
    }
    const [mine, its] = [ask(one), ask(strange)]
    if (mine.outcome !== 'evict' || its.outcome !== 'evict') return mine.outcome === its.outcome
    const [cost, others] = [mine, its].map(each => costOf(one.bodies, uidsOf(goingOf(each))))
    return compareCosts(cost!, others!) === 0
  },
  [small]
)

holds(
  'the arguments stay as they are',
  one => {
    const [room, request] = [cluster(one), requestOf(one)]
    const shown = () => inspect([room.nodes, request], { depth: 9, maxArrayLength: null })
    const before = shown()
    victims(room, request, one.profile)
    return shown() === before
  },
  [small]
)
