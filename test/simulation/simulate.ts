import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { object } from '../../extender/json.ts'
import { coresOf, gangNameOf, isDone, isStanding, nodeOf, sizeOf } from './cluster.ts'
import { cores, happen, type Weather } from './events.ts'
import { keyOf } from './invariants.ts'
import type { Sometimes } from './journal.ts'
import { World } from './world.ts'

/** What one seed showed. */
export type Result = {
  readonly seed: number
  /** Of everything that happened: the same for every run of the seed. */
  readonly digest: string
  /** What did not hold; empty for a good run. */
  readonly broken: readonly string[]
  readonly sometimes: ReadonlyMap<Sometimes, number>
  readonly steps: number
  /** What happened last, or all of it. */
  readonly lines: readonly string[]
}

/** So long after the world has healed everything has come to rest: a dead watch alone takes 90 s to be noticed. */
const restMs = 420_000
/** A restart at rest changes nothing within so long. */
const quietMs = 40_000
/** Where nothing goes wrong a gang is bound in part for no longer than a few requests take. */
const fairPartialMs = 2_000

const weatherOf = (seed: number): Weather => (seed % 9 === 0 ? 'fair' : seed % 3 === 0 ? 'harmless' : 'foul')

/** One run: a while in which anything may happen, then a while in which all must come out right. */
export async function simulate(seed: number, { whole = false } = {}): Promise<Result> {
  const world = new World(seed, whole)
  const { chance, cluster, journal, invariants } = world
  const weather = weatherOf(seed)
  for (let index = chance.between(2, 4); index > 0; index -= 1) cluster.addNode(`n${cluster.next()}`, cores)
  world.begin()
  if (weather !== 'fair' && chance.is(0.5)) world.faults.change()
  for (let count = chance.between(8, 40); count > 0 && invariants.broken.length === 0; count -= 1) {
    happen(world, weather)
    await world.run(chance.one([0, 3, 10, 30, 100, 500, 1_500, 6_000, 20_000]) ?? 0)
    await invariants.ledger()
  }
  world.heal(cores)
  await world.run(restMs)
  if (invariants.broken.length === 0) await verdict(world, weather)
  for (const pair of world.pairs) {
    world.killMuster(pair)
    world.killScheduler(pair)
  }
  return {
    ...{ seed, digest: journal.digest(), broken: invariants.broken, sometimes: journal.sometimes },
    ...{ steps: world.steps, lines: journal.lines() }
  }
}

/** What must be true once everything has come to rest. */
export async function verdict(world: World, weather: Weather): Promise<void> {
  const { invariants, cluster, truth, history, leader, clock } = world
  const pods = truth.pods()
  const holds = (await leader?.muster?.held())?.gangs ?? 0
  if (holds > 0) invariants.fail(`I4: ${holds} gangs still hold room: ${world.held().join()}`)
  const nominated = pods.filter(
    pod =>
      !isDone(pod) &&
      nodeOf(pod) === undefined &&
      object(pod.status).nominatedNodeName !== undefined &&
      gangNameOf(pod) !== ''
  )
  if (nominated.length > 0) invariants.fail(`I4: still nominated: ${nominated.map(keyOf).join()}`)
  const partialMs = weather === 'fair' ? fairPartialMs : Number.POSITIVE_INFINITY
  for (const problem of history.problems(partialMs, clock.now())) invariants.fail(problem)
  for (const [key, spec] of cluster.gangs) {
    if (spec.done) continue
    const members = cluster.membersOf(spec).filter(pod => !isDone(pod))
    const standing = members.filter(isStanding).length
    const missing = Math.max(spec.min - standing, 1)
    const told = `${key} has ${standing} of ${members.length} (min ${spec.min}, ${spec.size} cores each) on nodes`
    if (weather !== 'foul' && standing > 0 && standing < spec.min) invariants.fail(`I2: ${told}`)
    // Who is pinned can use the room of one node alone.
    if (members.some(pod => !isStanding(pod) && isPinned(pod))) continue
    const goesOn = members.length - standing >= missing && free(world, spec.size) >= (standing > 0 ? 1 : missing)
    if (goesOn) invariants.fail(`I7: ${told}, and there is room`)
  }
  for (const pod of pods.filter(each => gangNameOf(each) === '' && nodeOf(each) === undefined))
    if (free(world, sizeOf(pod)) > 0) invariants.fail(`I8: ${keyOf(pod)} is not on a node, and there is room`)
  await restartAtRest(world)
}

const isPinned = ({ spec }: KubeObject): boolean => object(spec).affinity !== undefined

/** Pods of that size for which there is room. */
function free({ cluster, truth }: World, size: number): number {
  const pods = truth.pods()
  const on = (name: string): readonly KubeObject[] => pods.filter(pod => nodeOf(pod) === name && !isDone(pod))
  return cluster.nodes().reduce((count, node) => {
    const used = on(node.metadata.name).reduce((sum, pod) => sum + sizeOf(pod), 0)
    return count + Math.max(0, Math.floor((coresOf(node) - used) / size))
  }, 0)
}

/** I9: a new life finds what the last one knew, so it has nothing to do. */
async function restartAtRest(world: World): Promise<void> {
  const { leader, truth, invariants } = world
  if (!leader) return
  const shown = (): string => JSON.stringify(truth.pods().map(pod => [keyOf(pod), nodeOf(pod), isDone(pod)]))
  const before = shown()
  world.killMuster(leader)
  world.startMuster(leader)
  await world.run(quietMs)
  if (!leader.muster?.ready) invariants.fail('I9: muster is not ready after a restart at rest')
  if (shown() !== before) invariants.fail('I9: a restart at rest has moved pods')
}
