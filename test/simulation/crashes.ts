import { type GangSpec, isStanding } from './cluster.ts'
import { verdict } from './simulate.ts'
import type { CrashPoint } from './traps.ts'
import { World } from './world.ts'

/** A short history in which nothing goes wrong, but for one crash of muster. */
export type Scenario = {
  readonly name: string
  readonly happen: (world: World) => Promise<void>
  /** The gangs that stand whole in the end, as `namespace/name`. */
  readonly whole: readonly string[]
}

export type Crash = { readonly write: number; readonly point: CrashPoint }

/** What such a history came to: empty where everything came out right. */
export type Outcome = { readonly writes: number; readonly crashes: number; readonly broken: readonly string[] }

const coresOfNode = 3
/** What waits for a hold, or for a binding of which nobody knows, has gone on by then. */
const restMs = 120_000

const spec = (name: string, fields: Partial<GangSpec> = {}): GangSpec => ({
  ...{ namespace: 'a', name, min: 3, size: 1, priority: 'low', gated: true, pin: false, keeps: 'nobody' },
  ...{ graceSeconds: 1, done: false, ...fields }
})

/** Each has two nodes with three cores. */
export const scenarios: readonly Scenario[] = [
  { name: 'a gated gang', happen: add(spec('g')), whole: ['a/g'] },
  { name: 'a gang without the gate', happen: add(spec('g', { gated: false })), whole: ['a/g'] },
  { name: 'a pinned gang', happen: add(spec('g', { pin: true })), whole: ['a/g'] },
  {
    name: 'a gang that ends another whole',
    happen: async world => {
      await add(spec('g', { size: 2, min: 2, gated: false }))(world)
      await add(spec('h', { priority: 'high' }))(world)
    },
    whole: ['a/h']
  }
]

function add(gang: GangSpec): (world: World) => Promise<void> {
  return async world => {
    world.cluster.addGang({ ...gang }, gang.min)
    await world.run(3_000)
  }
}

/** Runs the scenario, with a crash at that write where there is to be one, and looks at what is left of it at rest. */
export async function outcomeOf({ happen, whole }: Scenario, crash?: Crash): Promise<Outcome> {
  const world = new World(1)
  const { cluster, traps, invariants, journal } = world
  for (const name of ['n0', 'n1']) cluster.addNode(name, coresOfNode)
  if (crash) traps.crash(crash.point, crash.write)
  world.begin()
  await world.run(1_000)
  await happen(world)
  const { writes } = traps
  await world.run(restMs)
  for (const key of whole) {
    const gang = cluster.gangs.get(key)
    const standing = gang ? cluster.membersOf(gang).filter(isStanding).length : 0
    if (standing !== gang?.min) invariants.fail(`I7: ${key} has ${standing} members on nodes`)
  }
  await verdict(world, 'harmless')
  for (const pair of world.pairs) {
    world.killMuster(pair)
    world.killScheduler(pair)
  }
  return { writes, crashes: journal.sometimes.get('crash at a write') ?? 0, broken: invariants.broken }
}
