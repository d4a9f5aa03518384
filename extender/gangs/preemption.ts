import type { Body } from '../../policies/bodies.ts'
import type { Explanation, PlanRequest } from '../../policies/plan.ts'
import type { Snapshot } from '../../policies/snapshot.ts'
import type { Claim, Pod } from '../../policies/types.ts'
import { victims } from '../../policies/victims.ts'
import type { Clock } from '../clock.ts'
import type { Bodies, Prey } from './bodies.ts'
import type { Gang } from './gang.ts'
import type { Leaver } from './ledger.ts'
import type { Outlook } from './outlook.ts'

/** A pod that leaves is counted as gone until so long after the end of its grace period; then it counts as stuck. */
const stuckMs = 30_000
/** After a search in vain the next one of the gang waits so many times as long as it took, for the verbs' sake. */
const restFactor = 20
const nobody: Prey = { bodies: [], budgets: [] }

export type PreemptionParts = {
  readonly bodies: Bodies
  readonly outlook: Outlook
  readonly clock: Clock
  readonly revisit: (gang: string) => void
}

/** Nodes for the members, free once the leavers have left. */
export type Clearing = {
  readonly outcome: 'evict'
  readonly nodes: ReadonlyMap<string, string>
  readonly leavers: ReadonlyMap<string, Leaver>
}

/** The gang has no room: what is asked, the room that there is, and why it is not enough. */
export type Need = { readonly room: Snapshot; readonly request: PlanRequest; readonly explanation: Explanation }

type Entry = {
  /** Monotonic: since then it waits for room. */
  readonly since: number
  /** Monotonic: no search before. */
  notBefore: number
}

/**
 * Finds the room that a gang could have if others left: first those that leave anyway, then victims of lower priority.
 * Only simulates; who gets the answer holds the room and evicts.
 */
export class Preemption {
  readonly #parts: PreemptionParts
  readonly #entries = new Map<string, Entry>()
  /** The gang for which victims were searched for last. */
  #searched: string | undefined

  constructor(parts: PreemptionParts) {
    this.#parts = parts
  }

  /** Who must leave so that the gang fits; the explanation, where that would not help or is not allowed. */
  search(gang: Gang, need: Need): Clearing | Explanation {
    const leaving = this.#leaving(need.room)
    const room = need.room.without(leaving)
    if (leaving.length > 0) {
      const found = this.#victims(gang, { ...need, room }, nobody)
      if (found.outcome === 'evict') return withLeaving(found, leaving)
    }
    this.#searched = undefined
    if (!this.#maySearch(gang)) return need.explanation
    this.#searched = gang.key
    const from = this.#parts.clock.now()
    const prey = this.#parts.bodies.below(gang.rank)
    const found = this.#foreseen(gang, { ...need, room }, prey) ?? this.#victims(gang, { ...need, room }, prey)
    if (found.outcome === 'evict') {
      this.#entries.delete(gang.key)
      return withLeaving(found, leaving)
    }
    this.#rest(gang, from)
    return found
  }

  /** Whether the last search for the gang went as far as it ever will: nobody who asks for the same need ask again. */
  isSettled(gang: Gang): boolean {
    return !gang.preempts || (gang.preemptionDelayMs === 0 && this.#searched === gang.key)
  }

  /** How much longer than usual a hold lasts whose room these pods have to leave first, in milliseconds. */
  patienceFor(leavers: ReadonlyMap<string, Leaver>): number {
    if (leavers.size === 0) return 0
    const wall = this.#parts.clock.wall()
    const left = ({ pod, evict }: Leaver): number => (evict ? pod.graceMs : Math.max(0, (pod.leavesBy ?? 0) - wall))
    return stuckMs + Math.max(...[...leavers.values()].map(left))
  }

  /** The gang has its room, or is gone: its next need is a new one. */
  forget(key: string): void {
    this.#entries.delete(key)
  }

  /** Of those who leave by the plan for the whole cluster, whoever is enough; undefined where they are not. */
  #foreseen(gang: Gang, need: Need, { bodies, budgets }: Prey): Clearing | undefined {
    const leaving = this.#parts.outlook.leaving(gang, bodies) ?? []
    if (leaving.length === 0) return undefined
    const found = this.#victims(gang, need, { bodies: leaving, budgets })
    return found.outcome === 'evict' ? found : undefined
  }

  #victims({ profile }: Gang, { room, request, explanation }: Need, { bodies, budgets }: Prey): Clearing | Explanation {
    const found = victims(room, { ...request, bodies, budgets }, profile)
    if (found.outcome !== 'evict') return bodies.length > 0 ? found : explanation
    const gone = Map.groupBy(found.victims, victim => victim.body)
    const isWhole = ({ key, pods }: Body): boolean => pods.length > 1 && gone.get(key)?.length === pods.length
    const whole = new Set(bodies.filter(isWhole).map(body => body.key))
    const leavers = found.victims.map(({ pod, body }): [string, Leaver] => [
      pod.uid,
      { pod, evict: true, whole: whole.has(body) ? body : undefined }
    ])
    return { outcome: 'evict', nodes: found.nodes, leavers: new Map(leavers) }
  }

  #maySearch(gang: Gang): boolean {
    if (!gang.preempts) return false
    const { clock, revisit } = this.#parts
    const now = clock.now()
    const entry = this.#entries.get(gang.key) ?? { since: now, notBefore: 0 }
    this.#entries.set(gang.key, entry)
    const left = Math.max(entry.since + gang.preemptionDelayMs, entry.notBefore) - now
    if (left > 0) clock.after(left + 1, () => revisit(gang.key))
    return left <= 0
  }

  #rest({ key }: Gang, from: number): void {
    const entry = this.#entries.get(key)
    const now = this.#parts.clock.now()
    if (entry) entry.notBefore = now + (now - from) * restFactor
  }

  #leaving(room: Snapshot): Claim[] {
    const wall = this.#parts.clock.wall()
    const { bodies } = this.#parts
    const leaves = (pod: Pod): boolean =>
      pod.nodeName !== undefined && (pod.terminating ? (pod.leavesBy ?? 0) + stuckMs > wall : bodies.isEnding(pod))
    return room.nodes.flatMap(({ node, pods }) => pods.filter(leaves).map(pod => ({ node: node.name, pod })))
  }
}

/** The pods that leave those nodes anyway have to be gone as well. */
function withLeaving({ outcome, nodes, leavers }: Clearing, leaving: readonly Claim[]): Clearing {
  const used = new Set(nodes.values())
  const also = leaving
    .filter(({ node }) => used.has(node))
    .map(({ pod }): [string, Leaver] => [pod.uid, { pod, evict: false, whole: undefined }])
  return { outcome, nodes, leavers: new Map([...leavers, ...also]) }
}
