import { inspect, isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import { muster } from '../../policies/index.ts'
import type { Explanation, Plan } from '../../policies/plan.ts'
import { plan } from '../../policies/planner.ts'
import type { HostPort, Node, Pod, Requirement, Toleration } from '../../policies/types.ts'
import { type NodeBuilder, node, type PodBuilder, pod, snapshot } from '../builders.ts'

/** Independent of the code under test: what the rules of Kubernetes say about pods on a node. */
const tolerated = (tolerations: readonly Toleration[], key: string, effect: string) =>
  tolerations.some(
    each =>
      (each.effect === '' || each.effect === effect) &&
      (each.key === key || (each.key === '' && each.operator === 'Exists')) &&
      (each.operator === 'Exists' || each.value === '')
  )
function holds({ key, operator, values }: Requirement, { labels }: Node) {
  const label = labels.get(key)
  if (operator === 'In') return label !== undefined && values.includes(label)
  if (operator === 'NotIn') return label === undefined || !values.includes(label)
  if (operator === 'Exists') return label !== undefined
  return label === undefined
}
function mayStand({ shape }: Pod, on: Node) {
  const bears = (key: string) => tolerated(shape.tolerations, `node.kubernetes.io/${key}`, 'NoSchedule')
  if ((on.unschedulable && !bears('unschedulable')) || (!on.ready && !bears('not-ready'))) return false
  if (on.taints.some(({ key, effect }) => effect !== 'PreferNoSchedule' && !tolerated(shape.tolerations, key, effect)))
    return false
  if ([...shape.nodeSelector].some(([key, value]) => on.labels.get(key) !== value)) return false
  return (
    shape.affinity?.some(
      term => term.matchExpressions.length > 0 && term.matchExpressions.every(each => holds(each, on))
    ) ?? true
  )
}
const wild = (ip: string) => ip === '' || ip === '0.0.0.0'
const clash = (a: HostPort, b: HostPort) =>
  a.port === b.port && a.protocol === b.protocol && (wild(a.hostIP) || wild(b.hostIP) || a.hostIP === b.hostIP)
function stand(together: readonly Pod[], on: Node) {
  const used = new Map<string, number>()
  for (const { shape } of together)
    for (const [name, amount] of shape.requests) used.set(name, (used.get(name) ?? 0) + amount)
  const ports = together.map(each => each.shape.hostPorts)
  return (
    [...used].every(([name, amount]) => amount <= (on.allocatable.get(name) ?? 0)) &&
    ports.every((mine, index) => ports.slice(index + 1).every(other => !mine.some(a => other.some(b => clash(a, b)))))
  )
}

type Cluster = { readonly nodes: readonly NodeBuilder[]; readonly running: readonly PodBuilder[] }

/** The most members that can stand, by trying everything. */
function oracle({ nodes, running }: Cluster, gang: readonly Pod[]): number {
  const on = nodes.map(each => each.obj())
  const standing = on.map(one => running.map(each => each.obj()).filter(each => each.nodeName === one.name))
  const most = (index: number): number => {
    const next = gang[index]
    if (!next) return 0
    let best = most(index + 1)
    for (const [at, one] of on.entries()) {
      const here = standing[at]!
      if (best === gang.length - index) return best
      if (!mayStand(next, one) || !stand([...here, next], one)) continue
      here.push(next)
      best = Math.max(best, 1 + most(index + 1))
      here.pop()
    }
    return best
  }
  return most(0)
}

const anyNode = fc
  .record({
    cpu: fc.integer({ min: 1, max: 4 }),
    gpu: fc.nat(2),
    zone: fc.constantFrom('a', 'b'),
    taint: fc.constantFrom(undefined, undefined, 'NoSchedule', 'NoExecute', 'PreferNoSchedule'),
    maxPods: fc.constantFrom(1, 3, 110),
    down: fc.constantFrom('', '', '', '', 'cordoned', 'not ready')
  })
  .map(({ cpu, gpu, zone, taint, maxPods, down }) => (name: string) => {
    const plain = node(name).cpu(cpu).allocatable('gpu/x', gpu).label('zone', zone).maxPods(maxPods)
    const tainted = taint ? plain.taint('t', '', taint) : plain
    return down === 'cordoned' ? tainted.cordoned() : down ? tainted.notReady() : tainted
  })
const anyPod = fc
  .record({
    cpu: fc.nat(6),
    gpu: fc.constantFrom(0, 0, 1, 2),
    port: fc.constantFrom('', '', '', '0.0.0.0', '10.0.0.1', '10.0.0.2'),
    zone: fc.constantFrom('', '', 'select', 'In', 'NotIn', 'Exists', 'DoesNotExist', 'empty'),
    tolerate: fc.constantFrom('', '', 'Exists', 'Equal', 'all', 'NoExecute')
  })
  .map(({ cpu, gpu, port, zone, tolerate }) => (name: string) => {
    let one = pod(name).cpu(cpu * 500)
    if (gpu > 0) one = one.request('gpu/x', gpu)
    if (port) one = one.port(80, 'TCP', port)
    if (zone === 'select') one = one.select('zone', 'a')
    else if (zone === 'In' || zone === 'NotIn') one = one.require({ key: 'zone', operator: zone, values: ['a'] })
    else if (zone === 'empty') one = one.require()
    else if (zone) one = one.require({ key: zone === 'Exists' ? 'zone' : 'other', operator: zone, values: [] })
    if (tolerate === 'all') return one.tolerate({ operator: 'Exists' })
    if (tolerate === 'NoExecute') return one.tolerate({ key: 't', operator: 'Exists', effect: 'NoExecute' })
    return tolerate ? one.tolerate({ key: 't', operator: tolerate }) : one
  })

const anyCase = (most: number) =>
  fc
    .record({
      nodes: fc.array(anyNode, { minLength: 1, maxLength: most }),
      kinds: fc.array(anyPod, { minLength: 1, maxLength: 4 }),
      members: fc.array(fc.nat(3), { minLength: 1, maxLength: most }),
      running: fc.array(fc.tuple(fc.nat(9), anyPod), { maxLength: 3 }),
      spare: fc.constantFrom(0, 0, 1, 2)
    })
    .map(({ nodes, kinds, members, running, spare }) => {
      const built = nodes.map((build, index) => build(`n${index}`))
      const gang = members.map((kind, index) => kinds[kind % kinds.length]!(`p${index}`))
      // What runs was let in once, so it stands within the node's means.
      const kept: PodBuilder[] = []
      for (const [index, [at, build]] of running.entries()) {
        const on = built[at % built.length]!.obj()
        const one = build(`r${index}`).on(on.name)
        const here = kept.filter(each => each.obj().nodeName === on.name)
        if (
          stand(
            [...here, one].map(each => each.obj()),
            on
          )
        )
          kept.push(one)
      }
      const shown = () =>
        inspect(
          [built, kept, gang].map(each => each.map(one => one.obj())),
          { depth: 9 }
        )
      return { nodes: built, running: kept, gang, need: Math.max(0, gang.length - spare), [fc.toStringMethod]: shown }
    })

type Case = Cluster & { readonly gang: readonly PodBuilder[]; readonly need: number }
const refused = new Map<string, ReadonlySet<string>>()
const ask = ({ nodes, running, gang, need }: Case) =>
  plan(snapshot(nodes, running), { pods: gang.map(each => each.obj()), need, refused }, muster)

function check({ nodes, running, gang, need }: Case, { nodes: placed }: Plan) {
  if (placed.size < need) return false
  return nodes.every(each => {
    const on = each.obj()
    const members = gang.map(one => one.obj()).filter(one => placed.get(one.uid) === on.name)
    const standing = running.map(one => one.obj()).filter(one => one.nodeName === on.name)
    return members.every(one => mayStand(one, on)) && stand([...standing, ...members], on)
  })
}
const sum = (explanation: Explanation) =>
  [...explanation.blocked.reasons.values()].reduce((total, count) => total + count, 0)
const runs = { numRuns: 1500, seed: 7 }

t.test('agrees with trying everything', async () => {
  fc.assert(
    fc.property(anyCase(5), one => {
      const answer = ask(one)
      const most = oracle(
        one,
        one.gang.map(each => each.obj())
      )
      if (answer.outcome === 'planned') return check(one, answer) && most >= one.need
      return (
        answer.outcome === 'infeasible' && most < one.need && answer.placed <= most && sum(answer) === one.nodes.length
      )
    }),
    runs
  )
})

t.test('a plan is whole and stays within every node, an explanation counts every node', async () => {
  fc.assert(
    fc.property(anyCase(20), one => {
      const answer = ask(one)
      return answer.outcome === 'planned'
        ? check(one, answer)
        : answer.placed < one.need && sum(answer) === one.nodes.length
    }),
    { ...runs, numRuns: 500 }
  )
})

t.test('the same question gives the same answer and is left as it was', async () => {
  fc.assert(
    fc.property(anyCase(12), one => {
      const cluster = snapshot(one.nodes, one.running)
      const request = { pods: one.gang.map(each => each.obj()), need: one.need, refused }
      const before = structuredClone([cluster.nodes, request])
      const [first, second] = [plan(cluster, request, muster), plan(cluster, request, muster)]
      return isDeepStrictEqual(first, second) && isDeepStrictEqual([cluster.nodes, request], before)
    }),
    { ...runs, numRuns: 100 }
  )
})

/** Only then every item comes up once. */
const odd = (count: number) => count % 7 !== 0

t.test('names and orders do not decide whether there is a plan', async () => {
  fc.assert(
    fc.property(anyCase(12), fc.integer(), (one, salt) => {
      const turn = <T>(items: readonly T[]) =>
        items.map((_, index) => items[(index * 7 + Math.abs(salt)) % items.length]!)
      const other = (name: string) => `${(Math.abs(salt) * 31 + Number(name.slice(1)) * 17) % 101}-${name}`
      const nodes = (odd(one.nodes.length) ? turn(one.nodes) : one.nodes).map(each =>
        each.with({ name: other(each.obj().name) })
      )
      const running = one.running.map(each => each.on(other(each.obj().nodeName!)))
      const gang = (odd(one.gang.length) ? turn(one.gang) : one.gang).map(each => each.uid(other(each.obj().name)))
      return ask({ nodes, running, gang, need: one.need }).outcome === ask(one).outcome
    }),
    { ...runs, numRuns: 500 }
  )
})

t.test('one more node or one member less never takes a plan away', async () => {
  fc.assert(
    fc.property(anyCase(8), anyNode, (one, build) => {
      if (ask(one).outcome !== 'planned') return true
      const gang = one.gang.slice(1)
      const fewer = gang.length === 0 || ask({ ...one, gang, need: Math.max(0, one.need - 1) }).outcome === 'planned'
      return fewer && ask({ ...one, nodes: [...one.nodes, build('extra')] }).outcome === 'planned'
    }),
    { ...runs, numRuns: 500 }
  )
})

/** Park and Miller's generator: the same instances in every run. */
const dice = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}

/**
 * A cluster that a gang was cut out of: random shapes are laid on each node until none fits any more, so that the
 * gang fits, and hardly otherwise.
 */
function planted(seed: number) {
  const roll = dice(seed * 7919 + 1)
  const shapes = Array.from({ length: 2 + roll(4) }, () => ({
    cpu: 500 * (1 + roll(12)),
    gib: 1 + roll(24),
    gpu: roll(3) === 0 ? 1 + roll(4) : 0
  }))
  const models = Array.from({ length: 1 + roll(3) }, () => ({
    cpu: 8 * (1 + roll(4)),
    gib: 32 * (1 + roll(3)),
    gpu: roll(2) * 8
  }))
  const gang: PodBuilder[] = []
  const nodes = Array.from({ length: 20 + roll(181) }, (_, index) => {
    const { cpu, gib, gpu } = models[roll(models.length)]!
    let [cpuLeft, gibLeft, gpuLeft] = [cpu * 1000, gib, gpu]
    for (let misses = 0; misses < 8; ) {
      const shape = shapes[roll(shapes.length)]!
      if (shape.cpu > cpuLeft || shape.gib > gibLeft || shape.gpu > gpuLeft) misses++
      else {
        const one = pod(`p${gang.length}`).cpu(shape.cpu).memory(shape.gib)
        gang.push(shape.gpu > 0 ? one.request('gpu/x', shape.gpu) : one)
        cpuLeft -= shape.cpu
        gibLeft -= shape.gib
        gpuLeft -= shape.gpu
      }
    }
    return node(`n${index}`).cpu(cpu).memory(gib).allocatable('gpu/x', gpu)
  })
  return { nodes, running: [], gang, need: gang.length }
}

t.test('finds what was planted', async t => {
  const seeds = Array.from({ length: 200 }, (_, index) => index)
  const found = seeds.filter(seed => {
    const one = planted(seed)
    const answer = ask(one)
    t.not(answer.outcome, 'infeasible', `instance ${seed} is feasible`)
    return answer.outcome === 'planned' && check(one, answer)
  })
  t.comment(`${found.length} of ${seeds.length} planted instances found`)
  t.ok(found.length >= 0.99 * seeds.length, 'at least 99 %')
})
