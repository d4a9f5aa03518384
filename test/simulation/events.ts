import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { object } from '../../extender/json.ts'
import { appOf, coresOf, type GangSpec, gangNameOf, isStanding, nodeOf, priorities, priorityOf } from './cluster.ts'
import { fates } from './faults.ts'
import type { Process } from './process.ts'
import { timing } from './timing.ts'
import { crashPoints } from './traps.ts'
import type { World } from './world.ts'

/** Cores of each node. */
export const cores = 3
const mostNodes = 6
const hourMs = 3_600_000

type Happening = (world: World) => void

const namespaces = ['a', 'b']
/** Both namespaces have gangs of these names. */
const names = ['g', 'h', 'k', 'm', 'n', 'p']

type Happenings = Readonly<Record<string, { readonly weight: number; readonly happen: Happening }>>

/** What users do, and nothing goes wrong. */
const wishes: Happenings = {
  gang: { weight: 8, happen: addGang },
  'an ordinary pod': { weight: 4, happen: addOrdinary },
  'another node': { weight: 1, happen: addNode },
  'a gang finishes': { weight: 4, happen: finishGang },
  'a nomination is erased': { weight: 2, happen: eraseNomination },
  'a budget': { weight: 2, happen: setBudget },
  'a budget against a gang': { weight: 2, happen: addBudgetAgainstGang }
}

/** Crashes and the network. */
const faults: Happenings = {
  weather: { weight: 5, happen: world => world.faults.change() },
  calm: { weight: 3, happen: world => world.faults.calm() },
  'muster crashes': { weight: 3, happen: crashMuster },
  'kube-scheduler crashes': { weight: 2, happen: crashScheduler },
  'the pair crashes': { weight: 1, happen: world => world.crashPair() },
  handover: { weight: 1, happen: world => world.handOver() },
  overlap: { weight: 1, happen: world => world.overlap() },
  'the API server is away': { weight: 2, happen: takeApiServer },
  'watches freeze': { weight: 1, happen: ({ pairs }) => pairs.forEach(({ muster }) => muster?.wire.freeze()) },
  'watches are cut': { weight: 2, happen: ({ pairs }) => pairs.forEach(({ muster }) => muster?.wire.cut()) },
  'versions expire': { weight: 2, happen: world => world.expire() }
}

/** In hard worlds. */
const blows: Happenings = {
  'muster stops': { weight: 2, happen: world => stop(world, world.leader?.muster?.process) },
  'kube-scheduler stops': { weight: 1, happen: world => stop(world, world.leader?.scheduler?.process) },
  'muster stops at a binding': { weight: 3, happen: stopAtBinding },
  'the API server goes away at a binding': { weight: 2, happen: loseApiServerAtBinding },
  'muster crashes at a write': {
    weight: 3,
    happen: ({ traps, chance }) => traps.crash(chance.one(crashPoints) ?? crashPoints[0], chance.between(0, 3))
  }
}

/** Where a lease says who leads, each pair on a machine of its own. */
const ofLeases: Happenings = {
  'a wall clock jumps': { weight: 3, happen: jumpClock },
  'a binding goes wrong': { weight: 5, happen: spoilBinding }
}

/** Accidents from outside. */
const accidents: Happenings = {
  'a gang is deleted': { weight: 3, happen: deleteGang },
  'a pod is deleted': { weight: 3, happen: removePod },
  'a pod is replaced': { weight: 3, happen: replacePod },
  'a pod fails': { weight: 1, happen: failPod },
  'a foreign pod': { weight: 2, happen: addForeign },
  'a node is lost': { weight: 1, happen: loseNode },
  cordon: { weight: 1, happen: cordon },
  uncordon: { weight: 1, happen: uncordon },
  'a node shrinks': { weight: 1, happen: shrink }
}

/** `fair`: nothing goes wrong. `harmless`: whatever goes wrong, only muster can have left a gang in parts. */
export type Weather = 'fair' | 'harmless' | 'foul'

const happenings: Readonly<Record<Weather, Happenings>> = {
  fair: wishes,
  harmless: { ...wishes, ...faults },
  foul: { ...wishes, ...faults, ...accidents }
}

/** One thing that happens. */
export function happen(world: World, weather: Weather): void {
  const more = { ...(world.hard && blows), ...(world.hasLease && ofLeases) }
  const all = Object.entries({ ...happenings[weather], ...(weather !== 'fair' && more) })
  let at = world.chance.next() * all.reduce((sum, [, { weight }]) => sum + weight, 0)
  for (const [name, { weight, happen: begin }] of all) {
    at -= weight
    if (at > 0) continue
    world.journal.say(`-- ${name}`)
    begin(world)
    return
  }
}

function addGang(world: World): void {
  const { chance } = world
  addGangOf(world, chance.one(Object.keys(priorities) as Priority[]) ?? 'low', chance.between(1, 5))
}

type Priority = keyof typeof priorities

function addGangOf({ cluster, chance, journal, pins }: World, priority: Priority, min: number): void {
  const namespace = chance.one(namespaces) ?? ''
  const name = names.find(each => !cluster.gangs.has(`${namespace}/${each}`))
  if (name === undefined) return
  const spec: GangSpec = {
    ...{ namespace, name, min, priority, done: false, pin: pins && ['g', 'k', 'n'].includes(name) },
    size: chance.between(1, 2),
    gated: chance.is(0.6),
    keeps: chance.one(['nobody', 'names', 'numbers'] as const) ?? 'nobody',
    graceSeconds: chance.one([0, 1, 5, 30]) ?? 0
  }
  journal.say(JSON.stringify(spec))
  cluster.addGang(spec, chance.is(0.2) ? min + 1 : min)
}

/** muster may hear of the gang before it hears of the budget. */
function addBudgetAgainstGang(world: World): void {
  const { truth, cluster } = world
  const lesser = truth.pods().filter(pod => isStanding(pod) && priorityOf(pod) === priorities.low)
  for (const { metadata } of lesser) cluster.setBudget(metadata.namespace ?? '', metadata.labels?.['app'] ?? '', 100)
  addGangOf(world, 'high', 3)
}

function addOrdinary({ cluster, chance }: World): void {
  const priority = chance.one(Object.keys(priorities)) ?? 'low'
  cluster.addPod({ namespace: chance.one(namespaces) ?? '', name: `o-${cluster.next()}`, size: 1, priority })
}

function addNode({ cluster }: World): void {
  if (cluster.nodes().length < mostNodes) cluster.addNode(`n${cluster.next()}`, cores)
}

function finishGang({ cluster, chance }: World): void {
  const whole = [...cluster.gangs.values()].filter(
    spec => !spec.done && cluster.membersOf(spec).filter(isStanding).length >= spec.min
  )
  const spec = chance.one(whole)
  if (spec) cluster.finish(spec)
}

function deleteGang({ cluster, chance }: World): void {
  const spec = chance.one([...cluster.gangs.values()].filter(({ done }) => !done))
  if (!spec) return
  spec.done = true
  for (const pod of cluster.membersOf(spec)) cluster.remove(pod)
}

function crashMuster(world: World): void {
  const pair = world.leader
  if (!pair) return
  world.killMuster(pair)
  world.clock.after(world.chance.one([0, 100, 3_000]) ?? 0, () => world.startMuster(pair))
}

function crashScheduler(world: World): void {
  const pair = world.leader
  if (!pair) return
  world.killScheduler(pair)
  world.clock.after(world.chance.between(100, 3_000), () => world.startScheduler(pair))
}

function stop({ chance }: World, process: Process | undefined): void {
  process?.stop(chance.one([500, 3_000, 9_000, 18_000, 25_000]) ?? 0, chance.is(0.5))
}

/** An hour forth or back, or right again; whoever measures time must not notice. */
function jumpClock({ chance, pairs, journal }: World): void {
  const pair = chance.one(pairs)
  if (!pair) return
  if (pair.leads) journal.sees('wall clock of a leader jumped')
  pair.skew = chance.one([-hourMs, 0, hourMs]) ?? 0
}

/** The members that wait for the first one's binding hear of it when their time is nearly up, or just over. */
function stopAtBinding({ traps, clock, chance, journal, pairs }: World): void {
  traps.atBinding(() => {
    const muster = pairs.map(pair => pair.muster).find(each => each && each.calls.size > 0)
    const [oldest] = muster?.calls ?? []
    if (!muster || !oldest) return
    journal.sees('muster stopped past a deadline')
    const until = oldest.arrivedAt + timing.bindTimeoutMs + chance.between(-1_100, 100)
    muster.process.stop(until - clock.now(), chance.is(0.5))
  })
}

/** In any of the ways in which a request can. */
function spoilBinding({ traps, faults, chance, journal }: World): void {
  const fate = chance.one([...fates, 'conflict', 'forbidden'] as const)
  traps.atBinding(() => {
    journal.sees('binding gone wrong on purpose')
    faults.next = fate
  })
}

/** Whoever is being bound then is tried again and again, for longer than kube-scheduler waits. */
function loseApiServerAtBinding(world: World): void {
  world.traps.atBinding(() => {
    world.journal.sees('API server lost while a member is bound')
    loseApiServer(world, world.chance.between(timing.bindTimeoutMs, 2 * timing.bindTimeoutMs))
  })
}

/** Sometimes a kube-scheduler that has lost its lease meanwhile begins anew. */
function takeApiServer(world: World): void {
  const { clock, chance } = world
  const ms = chance.between(1_000, 40_000)
  loseApiServer(world, ms)
  if (chance.is(0.5)) clock.after(chance.between(0, ms), () => crashScheduler(world))
}

/** With all watches. */
function loseApiServer({ faults, clock, pairs }: World, ms: number): void {
  faults.away = true
  for (const { muster } of pairs) muster?.wire.cut()
  clock.after(ms, () => (faults.away = false))
}

function eraseNomination({ truth, cluster, chance }: World): void {
  const pod = chance.one(truth.pods().filter(({ status }) => object(status).nominatedNodeName !== undefined))
  if (pod) cluster.eraseNomination(pod)
}

function setBudget({ truth, cluster, chance }: World): void {
  const pod = chance.one(truth.pods().filter(isStanding))
  if (!pod) return
  const min = chance.one([undefined, 0, 1, 2])
  cluster.setBudget(pod.metadata.namespace ?? '', appOf(pod), min)
}

function removePod({ truth, cluster, chance }: World): void {
  const pod = chance.one(truth.pods())
  if (pod) cluster.remove(pod, chance.is(0.5) ? 0 : undefined)
}

/** As a StatefulSet does after a forced deletion: the name stays, the pod is another. */
function replacePod(world: World): void {
  const { truth, cluster, chance, journal } = world
  const pod = chance.one(truth.pods().filter(each => gangNameOf(each) !== ''))
  const spec = pod && cluster.specOf(pod)
  if (!pod || !spec || spec.done) return
  cluster.remove(pod, 0)
  journal.sees('pod recreated under its name')
  cluster.addMember(spec, pod.metadata.name)
}

function failPod({ truth, cluster, chance }: World): void {
  const pod = chance.one(truth.pods().filter(isStanding))
  if (pod) cluster.setPhase(pod, 'Failed')
}

function addForeign(world: World): void {
  const { cluster, chance, journal, invariants } = world
  const node = chance.one(cluster.nodes())
  if (!node) return
  const name = `f-${cluster.next()}`
  if (world.held().some(each => each.endsWith(`@${node.metadata.name}`))) journal.sees('room taken by a foreign pod')
  invariants.tainted.add(node.metadata.name)
  cluster.addPod({ namespace: 'a', name, size: 1, priority: 'low', scheduler: 'default-scheduler' })
  cluster.api.bind({ resource: 'pods', namespace: 'a', name }, { node: node.metadata.name })
}

function loseNode({ cluster, chance, journal, invariants, truth }: World): void {
  const node = chance.one(cluster.nodes())
  if (!node || cluster.nodes().length < 3) return
  const { name } = node.metadata
  if (truth.pods().some(pod => nodeOf(pod) === name && gangNameOf(pod) !== '')) journal.sees('node lost under a gang')
  invariants.tainted.add(name)
  cluster.loseNode(name)
}

function cordon({ cluster, chance }: World): void {
  const node = chance.one(cluster.nodes())
  if (node) cluster.setNode(node.metadata.name, { cordoned: true })
}

function uncordon({ cluster, chance }: World): void {
  const node = chance.one(cluster.nodes().filter(isCordoned))
  if (node) cluster.setNode(node.metadata.name, { cordoned: false })
}

const isCordoned = ({ spec }: KubeObject): boolean => object(spec).unschedulable === true

function shrink({ cluster, chance, invariants }: World): void {
  const node = chance.one(cluster.nodes().filter(each => coresOf(each) > 1))
  if (!node) return
  invariants.tainted.add(node.metadata.name)
  cluster.setNode(node.metadata.name, { cores: 1 })
}
