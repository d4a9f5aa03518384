import { type Profile, runFilters } from '../../policies/framework.ts'
import type { Explanation, Plan } from '../../policies/plan.ts'
import { plan } from '../../policies/planner.ts'
import { nodeInfo, type NodeInfo, type Snapshot } from '../../policies/snapshot.ts'
import type { Claim, Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import type { State } from '../state.ts'
import { type Former, newerFirst } from './adoption.ts'
import { type CallUp, callUp, isDegraded, isWhole, placeable, placed, type Gang } from './gang.ts'
import { shortOf, type Hold, type Ledger } from './ledger.ts'
import type { GangMetrics } from './metrics.ts'
import type { Refusals } from './refusals.ts'
import { apart, dealtOut, shares } from './spreading.ts'

export type PlanningParts = {
  readonly state: State
  readonly ledger: Ledger
  readonly refusals: Refusals
  readonly clock: Clock
  readonly metrics: GangMetrics
  readonly profile: Profile
  /** Which life of which leader made the plan; grows with every change of leader and every start. */
  readonly epoch: () => number
  readonly holdTtlMs: number
  /** The key of the pod's gang, if it has one. */
  readonly groupOf: (pod: Pod) => string | undefined
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

/** Which holds of others count. */
type Which = (hold: Hold) => boolean
const all: Which = () => true

/** Plans one gang against the cluster and the other gangs' holds, and reserves what it planned, in one step. */
export class Planning {
  readonly #parts: PlanningParts
  #count = 0
  #seen: { readonly key: string; readonly room: Snapshot } | undefined

  constructor(parts: PlanningParts) {
    this.#parts = parts
  }

  attempt(gang: Gang): Attempt {
    const { ledger } = this.#parts
    const held = ledger.hold(gang.key)
    const call = callUp(gang, held?.claims)
    const need = needOf(gang, held, call)
    const inTwo = goesInTwo(gang, call)
    const pods = inTwo ? call.needed : [...call.needed, ...call.surplus]
    if (pods.length === 0 || need === undefined || need > pods.length) return { outcome: 'nothing' }
    const beyond = this.#beyond(gang, need)
    if (beyond) return beyond
    const attempt = this.#attempt({ gang, held, pods, need })
    if (attempt.outcome === 'reserved' && inTwo) this.attempt(gang)
    return attempt
  }

  /** What the gang asks for as a whole is more than the cluster could ever give: no need to search. */
  #beyond({ minResources }: Gang, need: number): Explanation | undefined {
    if (minResources === undefined) return undefined
    const total = new Map<string, number>()
    for (const { node } of this.#parts.state.snapshot().nodes) {
      for (const [name, amount] of node.allocatable) total.set(name, (total.get(name) ?? 0) + amount)
    }
    const short = [...minResources].filter(([name, amount]) => amount > (total.get(name) ?? 0))
    if (short.length === 0) return undefined
    const said = short.map(([name, amount]) => `${amount} ${name} of ${total.get(name) ?? 0}`).join(', ')
    const blocked = { pod: '', reasons: new Map<string, number>() }
    const message = `the gang's min-resources are more than the whole cluster has: ${said}`
    return { outcome: 'infeasible', placed: 0, need, blocked, message }
  }

  #attempt(ask: Ask): Attempt {
    const { ledger } = this.#parts
    const { gang, held } = ask
    const first = this.#search(all, ask)
    // With the quorum placed or planned, more members are welcome, but displace nobody.
    if (first.outcome === 'reserved' || isWhole(gang, held?.claims)) return first
    // Nobody's plan is disturbed unless it helps: only now look at the room of lower-ranked plans.
    const weaker = (hold: Hold): boolean => !hold.firm && hold.rank < gang.priority
    if (![...ledger.holds()].some(weaker)) return first
    const second = this.#search(hold => !weaker(hold), ask)
    return second.outcome === 'reserved' ? second : first
  }

  /** Takes over what a former life decided, as far as it still fits; what was only a hint counts whole or not at all. */
  adopt(gang: Gang, former: Former): void {
    const { profile, ledger } = this.#parts
    let room = this.#room(gang, all)
    const claims = new Map<string, Claim>()
    for (const [uid, claim] of former.claims) {
      const info = room.node(claim.node)
      if (!info || runFilters(profile.filters, claim.pod.shape, info)) continue
      claims.set(uid, claim)
      room = room.with([claim])
    }
    const enough = former.plan !== undefined || claims.size === former.claims.size
    if (enough) ledger.reserve(this.#hold(gang, undefined, claims, former.plan), this.#without(gang, all))
  }

  /** Gangs whose plans no longer fit on that node, the lowest-ranked first; those left over do fit. */
  overfull(node: string): string[] {
    const { state, ledger } = this.#parts
    const info = state.node(node)
    const holds = ledger
      .on(node)
      .toSorted((a, b) => Number(a.firm) - Number(b.firm) || a.rank - b.rank || newerFirst(a.plan, b.plan))
    const broken: string[] = []
    for (const [index, { gang }] of holds.entries()) {
      const rest = holds.slice(index).flatMap(hold => [...hold.claims.values()].filter(claim => claim.node === node))
      const pods = rest.map(claim => claim.pod)
      if (info && shortOf(info, pods) === undefined) break
      broken.push(gang)
    }
    return broken
  }

  #search(which: Which, ask: Ask): Attempt {
    const { clock, metrics } = this.#parts
    const from = clock.now()
    const result = this.#plan(which, ask)
    metrics.planDuration.observe({ outcome: result.outcome }, (clock.now() - from) / 1000)
    if (result.outcome !== 'planned') return result
    return this.#reserve(ask, which, claimsOf(ask.pods, result.nodes))
  }

  #plan(which: Which, { gang, held, pods, need }: Ask): Plan | Explanation {
    const { state, refusals, profile, groupOf } = this.#parts
    const room = this.#room(gang, which).with([...(held?.claims.values() ?? [])])
    const request = { pods, need, refused: refusals.current(state.snapshot()) }
    const limit = refusals.apart(gang.key)
    if (limit === undefined) return plan(room, request, profile)
    const isMember = (pod: Pod): boolean => groupOf(pod) === gang.key
    let result: Plan | Explanation | undefined
    for (const most of shares(limit, gang.members.length)) {
      const spread = apart(room, request, { most, isMember })
      result = plan(spread.room, spread.request, profile)
      if (result.outcome === 'planned') return { ...result, nodes: dealtOut(pods, result.nodes) }
    }
    return result ?? plan(room, request, profile)
  }

  #reserve({ gang, held }: Ask, which: Which, added: ReadonlyMap<string, Claim>): Attempt {
    const claims = new Map([...(held?.claims ?? []), ...added])
    const { state, ledger } = this.#parts
    const seen = this.#seen
    const isSeen = seen?.key === `${state.version} ${ledger.version} ${gang.priority}` && !held && which === all
    ledger.reserve(this.#hold(gang, held, claims, held?.plan), this.#without(gang, which))
    // The next gang of this priority sees the same room with this plan in it: no need to count all holds anew.
    if (isSeen) {
      const key = `${state.version} ${ledger.version} ${gang.priority}`
      this.#seen = { key, room: seen.room.with([...added.values()]) }
    }
    const nodes = new Set([...added.values()].map(claim => claim.node))
    const displaced = new Set([...nodes].flatMap(node => this.overfull(node)).filter(key => key !== gang.key))
    return { outcome: 'reserved', displaced: [...displaced] }
  }

  #hold(gang: Gang, held: Hold | undefined, claims: ReadonlyMap<string, Claim>, planId: string | undefined): Hold {
    const { clock, epoch, holdTtlMs } = this.#parts
    return {
      gang: gang.key,
      plan: planId ?? `${epoch()}-${++this.#count}`,
      rank: gang.priority,
      // What has begun must not be taken apart again: the missing members of a started gang are held firmly.
      firm: held?.firm ?? isDegraded(gang),
      expiresAt: clock.now() + holdTtlMs,
      claims
    }
  }

  /** As `#compute`; gangs without hold and nomination see the same room as the last such gang of their priority. */
  #room(gang: Gang, which: Which): Snapshot {
    const { state, ledger } = this.#parts
    const own = ledger.hold(gang.key) !== undefined || placeable(gang).some(pod => pod.nominatedNodeName !== undefined)
    if (own || which !== all) return this.#compute(gang, which)
    const key = `${state.version} ${ledger.version} ${gang.priority}`
    if (this.#seen?.key !== key) this.#seen = { key, room: this.#compute(gang, which) }
    return this.#seen.room
  }

  /** The cluster with what is held for others, and what kube-scheduler itself keeps for its nominees. */
  #compute(gang: Gang, which: Which): Snapshot {
    const { state, ledger, groupOf } = this.#parts
    const claims = ledger.claims(hold => hold.gang !== gang.key && which(hold))
    for (const pod of state.nominated()) {
      const node = pod.nominatedNodeName
      if (node === undefined || pod.priority < gang.priority || groupOf(pod) === gang.key) continue
      // In-tree a nomination keeps the room until it is cleared; those that mirror the ledger are counted already.
      if (ledger.of(pod.uid)?.claim.node !== node) claims.push({ node, pod })
    }
    return state.snapshot().with(claims)
  }

  /** What a hold of this gang must fit beside: pods and other holds. Nominations of others give no right to room. */
  #without(gang: Gang, which: Which): { readonly node: (name: string) => NodeInfo | undefined } {
    const { state, ledger } = this.#parts
    return {
      node: name => {
        const info = state.node(name)
        const others = ledger.on(name).filter(hold => hold.gang !== gang.key && which(hold))
        const held = others.flatMap(hold => [...hold.claims.values()].filter(claim => claim.node === name))
        return info && nodeInfo(info.node, [...info.pods, ...held.map(claim => claim.pod)])
      }
    }
  }
}

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
