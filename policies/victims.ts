import type { Body, Budget } from './bodies.ts'
import type { Profile } from './framework.ts'
import type { Explanation, PlanRequest } from './plan.ts'
import { plan } from './planner.ts'
import type { Snapshot } from './snapshot.ts'
import type { Pod } from './types.ts'
import { Allowance } from './victims/allowance.ts'
import { Ground } from './victims/ground.ts'
import { pools } from './victims/pools.ts'
import { solved } from './victims/solution.ts'
import { byName, inTurn, type Step, stepsOf } from './victims/steps.ts'
import { Trial } from './victims/trial.ts'
import { Wants } from './victims/wants.ts'

/** Room for `need` of `pods`, once others have gone. All pods of the bodies rank lower and are not protected. */
export type VictimRequest = PlanRequest & { readonly bodies: readonly Body[]; readonly budgets: readonly Budget[] }

/** A pod that has to go, and the key of its body. */
export type Victim = { readonly pod: Pod; readonly body: string }

/** Every member's node, by pod uid, free once the victims have gone. */
export type Eviction = {
  readonly outcome: 'evict'
  readonly nodes: ReadonlyMap<string, string>
  readonly victims: readonly Victim[]
}

/**
 * Who must go so that the members fit: nobody where they fit anyway, or the explanation where no eviction helps. Of
 * those who are named nobody can be spared, no gang is named in part but by its surplus, and no disruption budget is
 * exceeded. They are the cheapest by 1. the highest priority among them, 2. gangs ended whole, 3. lost work,
 * 4. number: for certain among some ten portions of bodies, up to 32 within a fixed number of looks; among more, each
 * member is placed where it is cheapest just then. With several shapes of members it is as certain as their plans are.
 * The same question gives the same answer; never changes its arguments.
 */
export function victims(snapshot: Snapshot, request: VictimRequest, profile: Profile): Eviction | Explanation {
  const asIs = plan(snapshot, request, profile)
  if (asIs.outcome === 'planned') return { outcome: 'evict', nodes: asIs.nodes, victims: [] }
  // A filter may have a mind of its own on amounts; then counting by amounts was too hopeful.
  const found =
    search(snapshot, request, { profile, trusting: true }) ?? search(snapshot, request, { profile, trusting: false })
  if (!found || 'failure' in found) return { ...asIs, message: `${asIs.message}; ${found?.failure ?? unfound}` }
  const named = found.steps.flatMap(({ body, pods }) => pods.map(pod => ({ pod, body: body.key })))
  return { outcome: 'evict', nodes: found.nodes, victims: named.toSorted((a, b) => byName(a.pod, b.pod)) }
}

const vain = 'no eviction of pods of lower priority would help'
const unfound = 'no eviction of pods of lower priority was found to help'
const forbidden = 'no eviction that disruption budgets allow was found to help'

type Way = { readonly profile: Profile; readonly trusting: boolean }
type Found = { readonly steps: readonly Step[]; readonly nodes: ReadonlyMap<string, string> }

/** Undefined where the planner does not agree with the counting. */
function search(
  snapshot: Snapshot,
  request: VictimRequest,
  { profile, trusting }: Way
): Found | { readonly failure: string } | undefined {
  if (request.bodies.length === 0) return { failure: vain }
  const steps = stepsOf(request.bodies)
  const ground = new Ground(snapshot, steps, new Wants(request, { filters: profile.filters, trusting }))
  const trial = new Trial(ground, { steps, request, profile })
  const allowance = new Allowance(request.budgets)
  let failure = vain
  for (const pool of pools(trial, inTurn(useful(trial)))) {
    failure = allowance.isLimited ? forbidden : unfound
    const going = solved(trial, allowance, pool)
    if (!going) continue
    trial.takeAll(going)
    const nodes = trial.nodes()
    if (nodes) return { steps: going, nodes }
    if (trial.isCounted) return undefined
    trial.putAll(going)
  }
  return { failure: trial.doubts > 0 && failure === vain ? unfound : failure }
}

/** The steps up to the last of each body that makes room. */
function useful(trial: Trial): readonly Step[] {
  const ends = new Map<Body, number>()
  const isUseful = new Set(trial.ground.useful)
  for (const step of trial.steps)
    if (trial.sitesOf(step).some(site => isUseful.has(site))) ends.set(step.body, step.level)
  return trial.steps.filter(({ body, level }) => level <= (ends.get(body) ?? -1))
}
