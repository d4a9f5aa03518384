import { nodeInfo, type NodeInfo } from '../../policies/snapshot.ts'
import type { Rank } from '../../policies/ranks.ts'
import type { Claim, Pod } from '../../policies/types.ts'
import { InvariantViolation } from '../errors.ts'

/** A pod that has to leave before the gang can start. */
export type Leaver = {
  readonly pod: Pod
  /** By our doing; else it is on its way out already. */
  readonly evict: boolean
  /** The key of its own gang, where that is ended whole: all of it goes, or nothing. */
  readonly whole: string | undefined
  /** Where room is held for what takes its place, if it is moved and not ended. */
  readonly to: string | undefined
}

/** Room kept for one gang: the plan as far as its members are not bound yet. */
export type Hold = {
  readonly gang: string
  /** `EPOCH-N`, written into each Binding. */
  readonly plan: string
  /** Who does not outrank it may not take this room; who does may, until the hold is firm. */
  readonly rank: Rank
  /** The first member's binding has begun: from now on no rank takes this room. */
  readonly firm: boolean
  /** In the clock's monotonic milliseconds. */
  readonly expiresAt: number
  /** Member pod uid → its claim. */
  readonly claims: ReadonlyMap<string, Claim>
  /** Uids of the pods whose room is part of the plan and that have not left yet: until then nobody is nominated. */
  readonly leavers: ReadonlyMap<string, Leaver>
}

/** Nodes with all that stands and is held there, but for the gang's own. */
type Room = { readonly node: (name: string) => NodeInfo | undefined }

const none: readonly Hold[] = []

/**
 * The only authority on holds. Synchronous: between two calls no other code runs, so whoever reads and then reserves
 * in one step sees what it reserves against. Asserts its own invariants on every change, in production too.
 */
export class Ledger {
  readonly #holds = new Map<string, Hold>()
  readonly #gangOf = new Map<string, string>()
  readonly #byNode = new Map<string, Set<string>>()
  /** Gangs whose holds wait for pods to leave. */
  readonly #waiting = new Set<string>()

  /** Grows with every change; equal versions mean equal holds. */
  version = 0

  hold(gang: string): Hold | undefined {
    return this.#holds.get(gang)
  }

  holds(): Iterable<Hold> {
    return this.#holds.values()
  }

  get size(): number {
    return this.#holds.size
  }

  /** The hold that keeps room for this pod, and where. */
  of(uid: string): { readonly hold: Hold; readonly claim: Claim } | undefined {
    const hold = this.#holds.get(this.#gangOf.get(uid) ?? '')
    const claim = hold?.claims.get(uid)
    return hold && claim ? { hold, claim } : undefined
  }

  /** As `of`, once the room is free: nothing has to leave any more. */
  openFor(uid: string): { readonly hold: Hold; readonly claim: Claim } | undefined {
    const found = this.of(uid)
    return found && found.hold.leavers.size === 0 ? found : undefined
  }

  /** Holds that keep room on that node; usually none. */
  on(node: string): readonly Hold[] {
    const gangs = this.#byNode.get(node)
    return gangs ? [...gangs].map(gang => this.#holds.get(gang)).filter(hold => hold !== undefined) : none
  }

  /** The holds that wait for this pod to leave; usually none. */
  victimFor(uid: string): readonly Hold[] {
    if (this.#waiting.size === 0) return none
    const holds = [...this.#waiting].map(gang => this.#holds.get(gang))
    return holds.filter(hold => hold?.leavers.has(uid)).filter(hold => hold !== undefined)
  }

  /** The pod has left; answers the gangs that have waited for it, with their holds as they are now. */
  left(uid: string): readonly Hold[] {
    const holds = this.victimFor(uid).map(hold => {
      const leavers = new Map(hold.leavers)
      leavers.delete(uid)
      return { ...hold, leavers }
    })
    for (const hold of holds) {
      this.version += 1
      this.#holds.set(hold.gang, hold)
      if (hold.leavers.size === 0) this.#waiting.delete(hold.gang)
    }
    return holds
  }

  /** All claims of holds that pass `which`. */
  claims(which: (hold: Hold) => boolean): Claim[] {
    return [...this.#holds.values()].filter(which).flatMap(hold => [...hold.claims.values()])
  }

  /**
   * Replaces whatever the gang held. `room` is what stands there and is held for others: a plan that does
   * not fit there is a bug of the planner, not an accident of the cluster (I1).
   */
  reserve(hold: Hold, room: Room): void {
    for (const uid of hold.claims.keys()) {
      const other = this.#gangOf.get(uid)
      if (other !== undefined && other !== hold.gang)
        throw new InvariantViolation('I5', `pod ${uid} is held for ${other} and ${hold.gang}`)
    }
    assertFits(hold, room)
    this.release(hold.gang)
    if (hold.claims.size === 0) return
    this.version += 1
    this.#holds.set(hold.gang, hold)
    if (hold.leavers.size > 0) this.#waiting.add(hold.gang)
    for (const [uid, { node }] of hold.claims) {
      this.#gangOf.set(uid, hold.gang)
      this.#byNode.set(node, (this.#byNode.get(node) ?? new Set()).add(hold.gang))
    }
  }

  /** The first binding begins (or turned out not to have happened). */
  setFirm(gang: string, firm: boolean): void {
    const hold = this.#holds.get(gang)
    if (!hold || hold.firm === firm) return
    this.version += 1
    this.#holds.set(gang, { ...hold, firm })
  }

  renew(gang: string, expiresAt: number): void {
    const hold = this.#holds.get(gang)
    if (hold) this.#holds.set(gang, { ...hold, expiresAt })
  }

  /** Gives up all that the gang holds; a gang without a hold is fine. */
  release(gang: string): void {
    const hold = this.#holds.get(gang)
    if (!hold) return
    this.version += 1
    this.#holds.delete(gang)
    this.#waiting.delete(gang)
    for (const [uid, { node }] of hold.claims) {
      this.#gangOf.delete(uid)
      this.#unlink(gang, node)
    }
  }

  /** Gives up one member's room: it is bound, or gone. The last one ends the hold. */
  releaseMember(uid: string): void {
    const found = this.of(uid)
    if (!found) return
    const { hold, claim } = found
    this.version += 1
    const claims = new Map(hold.claims)
    claims.delete(uid)
    this.#gangOf.delete(uid)
    if (claims.size === 0) {
      this.#holds.delete(hold.gang)
      this.#waiting.delete(hold.gang)
    } else this.#holds.set(hold.gang, { ...hold, claims })
    if (![...claims.values()].some(other => other.node === claim.node)) this.#unlink(hold.gang, claim.node)
  }

  #unlink(gang: string, node: string): void {
    const gangs = this.#byNode.get(node)
    gangs?.delete(gang)
    if (gangs?.size === 0) this.#byNode.delete(node)
  }
}

/** Throws unless every node of the hold has the room for all of its claims there. */
function assertFits(hold: Hold, room: Room): void {
  for (const [node, claims] of Map.groupBy(hold.claims.values(), claim => claim.node)) {
    const there = room.node(node)
    const info = there && cleared(there, [hold])
    if (!info) throw new InvariantViolation('I1', `${hold.gang} is planned on ${node}, which is not there`)
    const short = shortOf(
      info,
      claims.map(claim => claim.pod)
    )
    if (short !== undefined) throw new InvariantViolation('I1', `${hold.gang} overfills ${node}: ${short}`)
  }
}

/** The node once the pods have left for which these holds wait. */
export function cleared(info: NodeInfo, holds: readonly Hold[]): NodeInfo {
  const waiting = holds.filter(hold => hold.leavers.size > 0)
  if (waiting.length === 0) return info
  const stays = info.pods.filter(pod => !waiting.some(hold => hold.leavers.has(pod.uid)))
  return stays.length === info.pods.length ? info : nodeInfo(info.node, stays)
}

/** The first resource of which the node has too little for these pods on top of its own; undefined when they fit. */
export function shortOf(
  info: { node: { allocatable: ReadonlyMap<string, number> }; used: ReadonlyMap<string, number> },
  pods: readonly Pod[]
): string | undefined {
  const wanted = new Map<string, number>()
  for (const pod of pods) {
    for (const [name, amount] of pod.shape.requests) wanted.set(name, (wanted.get(name) ?? 0) + amount)
  }
  for (const [name, amount] of wanted) {
    const free = (info.node.allocatable.get(name) ?? 0) - (info.used.get(name) ?? 0)
    if (amount > 0 && amount > free) return name
  }
  return undefined
}
