import { runFilters } from '../../../policies/framework.ts'
import type { Move } from '../../../policies/consolidation.ts'
import type { Explanation, Plan } from '../../../policies/plan.ts'
import { plan } from '../../../policies/planner.ts'
import { outranks } from '../../../policies/ranks.ts'
import type { Claim, Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { State } from '../../state.ts'
import type { Former } from './adoption.ts'
import { hopeless } from './hopeless.ts'
import { placeable, placed, type Gang } from '../membership/gang.ts'
import { type CallUp, callUp, isDegraded, isWhole } from '../membership/quorum.ts'
import type { Hold, Leaver, Ledger } from '../ledger.ts'
import type { GangMetrics } from '../metrics.ts'
import type { Moves } from './moves.ts'
import { overfull } from './overfull.ts'
import type { Preemption } from './preemption.ts'
import type { Refusals } from './refusals.ts'
import type { Rights } from '../rights.ts'
import { all, type Rooms, type Which } from './rooms.ts'
import { apart, dealtOut, shares } from './spreading.ts'
import { Vain } from './vain.ts'

export type PlanningParts = {
  readonly state: State
  readonly ledger: Ledger
  readonly rooms: Rooms
  readonly preemption: Preemption
  readonly moves: Moves
  readonly refusals: Refusals
  readonly clock: Clock
  readonly metrics: GangMetrics
  /** Which life of which leader made the plan; grows with every change of leader and every start. */
  readonly epoch: () => number
  readonly holdTtlMs: number
  readonly rights: Rights
  /** The key of the pod's gang, if it has one. */
  readonly groupOf: (pod: Pod) => string | undefined
  /** Whether all pods rank in one order, whatever their namespaces. */
  readonly isEven: () => boolean
}

export type Attempt =
  /** Room is held for more members than before; the named gangs' plans no longer fit and must be withdrawn. */
  | { readonly outcome: 'reserved'; readonly displaced: readonly string[] }
  /** There is nobody to place, or not enough members exist. */
  | { readonly outcome: 'nothing' }
  | Explanation

/** Room for at least `need` of these pods. */
type Ask = {
  readonly gang: Gang
  readonly held: Hold | undefined
  readonly pods: readonly Pod[]
  readonly need: number
}

/** Plans one gang against the cluster and the other gangs' holds, and reserves what it planned, in one step. */
export class Planning {
  readonly #parts: PlanningParts
  readonly #vain: Vain
  #count = 0

  constructor(parts: PlanningParts) {
    this.#parts = parts
    this.#vain = new Vain(parts.isEven)
  }

  /** `room` is a number that grows whenever room may have grown. */
  attempt(gang: Gang, room: number): Attempt {
    const { ledger, moves } = this.#parts
    const held = ledger.hold(gang.key)
    const call = callUp(gang, held?.claims)
    const need = needOf(gang, held, call)
    const inTwo = goesInTwo(gang, call)
    for (const pod of placeable(gang)) moves.settled(pod)
    const pods = inTwo ? call.needed : [...call.needed, ...call.surplus]
    if (pods.length === 0 || need === undefined || need > pods.length) return { outcome: 'nothing' }
    const reason = hopeless(gang, { pods, need }, this.#parts)
    if (reason) return reason
    const attempt = this.#unlessInVain({ gang, held, pods, need }, room)
    if (attempt.outcome === 'reserved' && inTwo) this.attempt(gang, room)
    return attempt
  }

  /** Gangs that have a part in the room already ask for themselves alone. */
  #unlessInVain(ask: Ask, room: number): Attempt {
    const { gang, held, pods } = ask
    const { preemption, refusals } = this.#parts
    const isCommon =
      !held &&
      placed(gang) === 0 &&
      refusals.apart(gang.key) === undefined &&
      pods.every(pod => pod.nominatedNodeName === undefined)
    const known = isCommon ? this.#vain.find(gang, ask, room) : undefined
    if (known) return known
    const attempt = this.#attempt(ask)
    if (isCommon && attempt.outcome === 'infeasible' && preemption.isSettled(gang))
      this.#vain.add(gang, ask, { room, explanation: attempt })
    return attempt
  }

  #attempt(ask: Ask): Attempt {
    const { ledger } = this.#parts
    const { gang, held } = ask
    const first = this.#search(all, ask)
    // With the quorum placed or planned, more members are welcome, but displace nobody.
    if (first.outcome === 'reserved' || isWhole(gang, held?.claims)) return first
    // Nobody's plan is disturbed unless it helps: only now look at the room of lower-ranked plans.
    const weaker = (hold: Hold): boolean => !hold.firm && outranks(gang.rank, hold.rank)
    const stronger: Which = [...ledger.holds()].some(weaker) ? hold => !weaker(hold) : all
    const second = stronger === all ? first : this.#search(stronger, ask)
    if (second.outcome === 'reserved') return second
    // And nobody leaves a node for it unless that helps.
    return first.outcome === 'infeasible' && held === undefined ? this.#preempt(stronger, ask, first) : first
  }

  /** The quorum's missing members only: nobody is ended for surplus. */
  #preempt(which: Which, ask: Ask, explanation: Explanation): Attempt {
    const { gang } = ask
    const { rooms, preemption, refusals, groupOf } = this.#parts
    const pods = callUp(gang).needed
    const asked = { room: rooms.for(gang, which), request: { pods, need: pods.length, refused: this.#refused() } }
    const spread = refusals.apart(gang.key) !== undefined
    // What stands apart from members that run already is not simulated: an eviction for it could be in vain.
    if (spread && placed(gang) > 0) return explanation
    const isMember = (pod: Pod): boolean => groupOf(pod) === gang.key
    const need = spread ? apart(asked.room, asked.request, { most: 1, isMember }) : asked
    const found = preemption.search(gang, { ...need, explanation })
    if (found.outcome !== 'evict') return found
    const { leavers, moves } = found
    return this.#reserve(ask, which, { claims: claimsOf(pods, found.nodes), leavers, moves })
  }

  /** Takes over what a former life decided, as far as it still fits; what was only a hint counts whole or not at all. */
  adopt(gang: Gang, former: Former): void {
    const { ledger, rooms } = this.#parts
    let room = former.begun ? rooms.forBegun(gang) : rooms.for(gang, all)
    const claims = new Map<string, Claim>()
    for (const [uid, claim] of former.claims) {
      const info = room.node(claim.node)
      if (!info || runFilters(gang.profile.filters, claim.pod.shape, info)) continue
      claims.set(uid, claim)
      room = room.with([claim])
    }
    const enough = former.begun || claims.size === former.claims.size
    if (enough) ledger.reserve(this.#hold(gang, { claims, plan: former.plan }), rooms.beside(gang, all))
  }

  #search(which: Which, ask: Ask): Attempt {
    const { clock, metrics } = this.#parts
    const from = clock.now()
    const result = this.#plan(which, ask)
    metrics.planDuration.observe({ outcome: result.outcome }, (clock.now() - from) / 1000)
    if (result.outcome !== 'planned') return result
    return this.#reserve(ask, which, { claims: claimsOf(ask.pods, result.nodes), leavers: nobody, moves: [] })
  }

  #plan(which: Which, { gang, held, pods, need }: Ask): Plan | Explanation {
    const { rooms, refusals, groupOf } = this.#parts
    const room = rooms.for(gang, which).with([...(held?.claims.values() ?? [])])
    const request = { pods, need, refused: this.#refused() }
    const limit = refusals.apart(gang.key)
    if (limit === undefined) return plan(room, request, gang.profile)
    const isMember = (pod: Pod): boolean => groupOf(pod) === gang.key
    let result: Plan | Explanation | undefined
    for (const most of shares(limit, gang.members.length)) {
      const spread = apart(room, request, { most, isMember })
      result = plan(spread.room, spread.request, gang.profile)
      if (result.outcome === 'planned') return { ...result, nodes: dealtOut(pods, result.nodes) }
    }
    return result ?? plan(room, request, gang.profile)
  }

  #refused(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#parts.refusals.current(this.#parts.state.snapshot())
  }

  #reserve({ gang, held }: Ask, which: Which, added: Added): Attempt {
    const { ledger, rooms, moves } = this.#parts
    const claims = new Map([...(held?.claims ?? []), ...added.claims])
    const leavers = new Map([...(held?.leavers ?? []), ...added.leavers])
    const hold = this.#hold(gang, { ...held, claims, leavers })
    const reserve = (): void => ledger.reserve(hold, rooms.beside(gang, which))
    // Room that others must leave first is no room for the next gang.
    if (held || which !== all || leavers.size > 0) reserve()
    else rooms.adding(gang, [...claims.values()], reserve)
    if (added.moves.length > 0)
      moves.begin(hold, added.moves, (node, counts) =>
        rooms.beside(nobodys, each => which(each) || counts(each)).node(node)
      )
    const nodes = new Set([...[...added.claims.values()].map(claim => claim.node), ...added.moves.map(({ to }) => to)])
    const displaced = new Set([...nodes].flatMap(node => overfull(node, this.#parts)).filter(key => key !== gang.key))
    return { outcome: 'reserved', displaced: [...displaced] }
  }

  #hold(gang: Gang, { plan, firm, claims, leavers = nobody }: Wish): Hold {
    const { clock, epoch, holdTtlMs, preemption } = this.#parts
    return {
      gang: gang.key,
      plan: plan ?? `${epoch()}-${++this.#count}`,
      rank: gang.rank,
      // What has begun must not be taken apart again: the missing members of a started gang are held firmly.
      firm: firm ?? isDegraded(gang),
      expiresAt: clock.now() + holdTtlMs + preemption.patienceFor(leavers),
      claims,
      leavers
    }
  }
}

/** What a plan adds to what the gang holds already. */
type Added = Pick<Hold, 'claims' | 'leavers'> & { readonly moves: readonly Move[] }
/** The room that is beside every hold. */
const nobodys = { key: '' }

/** What of a hold is known before it is made. */
type Wish = Pick<Hold, 'claims'> & {
  readonly plan?: string | undefined
  readonly firm?: boolean
  readonly leavers?: ReadonlyMap<string, Leaver>
}
const nobody: ReadonlyMap<string, Leaver> = new Map()

/** With roles it matters who is placed first: those whom the quorum needs, and the others once they are. */
function goesInTwo(gang: Gang, { needed, surplus }: CallUp): boolean {
  return gang.roles.size > 0 && needed.length > 0 && surplus.length > 0
}

/** How many more members must get a node at once; undefined while the quorum is not known. */
function needOf(gang: Gang, held: Hold | undefined, call: CallUp): number | undefined {
  if (gang.minMember === undefined) return undefined
  // Part of the gang runs or is planned: every further member is a gain, one by one.
  if (placed(gang) > 0 || held) return 1
  return call.enough ? Math.max(1, call.needed.length) : undefined
}

function claimsOf(pods: readonly Pod[], nodes: ReadonlyMap<string, string>): Map<string, Claim> {
  const claims = new Map<string, Claim>()
  for (const pod of pods) {
    const node = nodes.get(pod.uid)
    if (node !== undefined) claims.set(pod.uid, { node, pod })
  }
  return claims
}
