import type { Body } from '../../../policies/bodies.ts'
import { type Consolidation, consolidation, isInPieces, type Rooms } from '../../../policies/consolidation.ts'
import type { Profile } from '../../../policies/framework.ts'
import { annotations } from '../../../policies/names.ts'
import type { Explanation, PlanRequest } from '../../../policies/plan.ts'
import type { Snapshot } from '../../../policies/snapshot.ts'
import { someFor } from '../../../policies/text.ts'
import type { Claim, Pod } from '../../../policies/types.ts'
import { victims } from '../../../policies/victims.ts'
import type { Clock } from '../../clock.ts'
import type { Bodies, Prey } from './bodies.ts'
import { type Clearing, withLeaving } from './clearing.ts'
import type { Gang } from '../membership/gang.ts'
import type { Leaver } from '../ledger.ts'
import type { Outlook } from './outlook.ts'

/** A pod that leaves is counted as gone until so long after the end of its grace period; then it counts as stuck. */
const stuckMs = 30_000
/** After a search in vain the next one of the gang waits so many times as long as it took, for the verbs' sake. */
const restFactor = 20
/** How long advice is repeated before it is found anew. */
const adviceMs = 30_000
const nobody: Prey = { bodies: [], budgets: [], thawsInMs: undefined }

export type PreemptionParts = {
  readonly bodies: Bodies
  readonly profileOf: (pod: Pod) => Profile | undefined
  readonly outlook: Outlook
  readonly clock: Clock
  /** Why nobody may be evicted in some namespace. */
  readonly lacks: () => readonly string[]
  /** The gang is worth another try, though nothing about it or its room has changed. */
  readonly retry: (gang: string) => void
  /** Who waits is worth another try. */
  readonly roomGrew: () => void
}

/** The gang has no room: what is asked, the room that there is, and why it is not enough. */
export type Need = { readonly room: Snapshot; readonly request: PlanRequest; readonly explanation: Explanation }

type Entry = {
  /** Monotonic: since then it waits for room. */
  readonly since: number
  /** Monotonic: no search before. */
  notBefore: number
  /** What would help, in words, if anything would; found at that monotonic time. */
  advice: { readonly at: number; readonly text: string | undefined } | undefined
}

/**
 * Finds the room that a gang could have if others left: first those that leave anyway, then pods that may be moved to
 * where they fit as well, then victims of lower priority. Only simulates; who gets the answer holds the room and evicts.
 */
export class Preemption {
  readonly #parts: PreemptionParts
  readonly #entries = new Map<string, Entry>()
  /** The gang for which victims were searched for last. */
  #searched: string | undefined
  /** Monotonic: the next time that somebody's protection ends for whose room others wait. */
  #thaw: number | undefined

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
    const rooms = { now: need.room, later: room }
    if (!gang.preempts) return this.#advised(gang, rooms, adding(need, never))
    if (!this.#maySearch(gang)) return this.#isDelayed(gang) ? adding(need, delayed).explanation : need.explanation
    const found = this.#searchAll(gang, rooms, need)
    return found.outcome === 'evict' ? withLeaving(found, leaving) : found
  }

  #searchAll(gang: Gang, rooms: Rooms, need: Need): Clearing | Explanation {
    this.#searched = gang.key
    const from = this.#parts.clock.now()
    const prey = this.#parts.bodies.below(gang.rank)
    const aim = { ...need, room: rooms.later }
    const found = this.#moved(gang, rooms, need) ?? this.#foreseen(gang, aim, prey) ?? this.#victims(gang, aim, prey)
    if (found.outcome === 'evict') {
      this.#entries.delete(gang.key)
      return found
    }
    const notes = [...(prey.thawsInMs === undefined ? [] : [fresh]), ...this.#parts.lacks()]
    const why = notes.reduce(adding, { ...need, explanation: found })
    const explained = this.#advised(gang, rooms, why)
    this.#rest(gang, from)
    this.#awaitThaw(prey)
    return explained
  }

  /** Somebody was searched in vain because the gang was just starting; now that it has, it may be ended. */
  review(gang: Gang): void {
    if (this.#parts.bodies.hasStarted(gang)) this.#parts.roomGrew()
  }

  /** Whether the last search for the gang went as far as it ever will: nobody who asks for the same need ask again. */
  isSettled(gang: Gang): boolean {
    return !gang.preempts || (gang.preemptionDelayMs === 0 && this.#searched === gang.key)
  }

  /** How much longer than usual a hold lasts whose room these pods have to leave first, in milliseconds. */
  patienceFor(leavers: ReadonlyMap<string, Leaver>): number {
    if (leavers.size === 0) return 0
    const wall = this.#parts.clock.wall()
    // Never more than its grace: a wall clock that was set back must not hold room for the time between.
    const left = ({ pod: { graceMs, leavesBy = 0 }, evict }: Leaver): number =>
      evict ? graceMs : Math.min(graceMs, Math.max(0, leavesBy - wall))
    return stuckMs + Math.max(...[...leavers.values()].map(left))
  }

  /** The gang has its room, or is gone: its next need is a new one. */
  forget(key: string): void {
    this.#entries.delete(key)
    this.#parts.bodies.forget(key)
  }

  /** Of those who leave by the plan for the whole cluster, whoever is enough; undefined where they are not. */
  #foreseen(gang: Gang, need: Need, prey: Prey): Clearing | undefined {
    const bodies = this.#parts.outlook.leaving(gang, prey.bodies) ?? []
    if (bodies.length === 0) return undefined
    const found = this.#victims(gang, need, { ...prey, bodies })
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
      { pod, evict: true, whole: whole.has(body) ? body : undefined, to: undefined }
    ])
    return { outcome: 'evict', nodes: found.nodes, leavers: new Map(leavers), moves: [] }
  }

  /** Nobody loses but the time of a start. */
  #moved(gang: Gang, rooms: Rooms, need: Need): Clearing | undefined {
    const found = this.#consolidation(gang, rooms, need.request, 'marked')
    if (!found) return undefined
    const leavers = found.moves.map(({ pod, to }): [string, Leaver] => [
      pod.uid,
      { pod, evict: true, whole: undefined, to }
    ])
    return { outcome: 'evict', nodes: found.nodes, leavers: new Map(leavers), moves: found.moves }
  }

  #consolidation(gang: Gang, rooms: Rooms, request: PlanRequest, which: 'marked' | 'all'): Consolidation | undefined {
    if (!isInPieces(rooms.later, request)) return undefined
    const { bodies, profileOf } = this.#parts
    const { bodies: movable, budgets } = bodies.movable(gang.rank, which)
    return consolidation(rooms, { ...request, movable, budgets, profileOf }, gang.profile)
  }

  /** The explanation, and who would have to move where nobody is moved. */
  #advised(gang: Gang, rooms: Rooms, { request, explanation }: Need): Explanation {
    const entry = this.#entry(gang.key)
    const now = this.#parts.clock.now()
    if (!entry.advice || entry.advice.at + adviceMs <= now) {
      const moves = this.#consolidation(gang, rooms, request, 'all')?.moves
      entry.advice = {
        at: now,
        text:
          moves &&
          `it would fit if ${someFor(
            gang.namespace,
            moves.map(({ pod }) => pod)
          )} ${advised}`
      }
    }
    const { text } = entry.advice
    return text === undefined
      ? explanation
      : { ...explanation, message: `${explanation.message}; ${text}`, isPrivate: true }
  }

  #maySearch(gang: Gang): boolean {
    const { clock, retry } = this.#parts
    const entry = this.#entry(gang.key)
    // After the entry, which may begin just now: with a clock read before it, a moment would always be left.
    const left = Math.max(entry.since + gang.preemptionDelayMs, entry.notBefore) - clock.now()
    if (left > 0) clock.after(left + 1, () => retry(gang.key))
    return left <= 0
  }

  /** The end of a victim's protection is no event: it has to be waited for. */
  #awaitThaw({ thawsInMs }: Prey): void {
    const { clock, roomGrew } = this.#parts
    if (thawsInMs === undefined) return
    const at = clock.now() + thawsInMs + 1
    if (this.#thaw !== undefined && this.#thaw <= at) return
    this.#thaw = at
    clock.after(thawsInMs + 1, () => {
      if (this.#thaw === at) this.#thaw = undefined
      roomGrew()
    })
  }

  #isDelayed({ key, preemptionDelayMs }: Gang): boolean {
    return this.#parts.clock.now() < this.#entry(key).since + preemptionDelayMs
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key)
    if (known) return known
    const entry: Entry = { since: this.#parts.clock.now(), notBefore: 0, advice: undefined }
    this.#entries.set(key, entry)
    return entry
  }

  #rest({ key }: Gang, from: number): void {
    const [entry, now] = [this.#entries.get(key), this.#parts.clock.now()]
    if (entry) entry.notBefore = now + (now - from) * restFactor
  }

  #leaving(room: Snapshot): Claim[] {
    const { bodies, clock } = this.#parts
    const wall = clock.wall()
    const leaves = (pod: Pod): boolean =>
      pod.nodeName !== undefined && (pod.terminating ? (pod.leavesBy ?? 0) + stuckMs > wall : bodies.isEnding(pod))
    return room.nodes.flatMap(({ node, pods }) => pods.filter(leaves).map(pod => ({ node: node.name, pod })))
  }
}

const advised = `moved to other nodes (pods whose annotation ${annotations.movable} is "true" are moved by muster)`

const never = 'nobody is evicted for it: its preemption policy is Never'
const delayed = 'nobody is evicted for it before its preemption-delay is over'
const fresh = 'some pods of lower priority are protected by their min-runtime for now'

function adding({ explanation, ...need }: Need, text: string): Need {
  return { ...need, explanation: { ...explanation, message: `${explanation.message}; ${text}` } }
}
