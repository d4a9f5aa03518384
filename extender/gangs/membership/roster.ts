import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { PodChange, State } from '../../state.ts'
import { gangOf, type Gang } from './gang.ts'
import type { Profiles } from './profiles.ts'
import { type Facts, type Terms, termsOf } from './terms.ts'

type Entry = {
  readonly pods: Map<string, Pod>
  /** When a member last came or went, in the clock's monotonic milliseconds. */
  changedAt: number
  /** The quorum of a gang of undeclared size, once it has settled; members that come later are surplus. */
  settled: number | undefined
  /** The gang as it was last made; undefined since something about it has changed. */
  gang: Gang | undefined
}

export type RosterOptions = {
  readonly state: State
  readonly clock: Clock
  readonly profiles: Profiles
  /** How long a gang of undeclared size must not have grown before it counts as complete, in milliseconds. */
  readonly settleMs: number
  /** A gang with more members is refused; absent: none is. */
  readonly maxSize?: number
}

/** Which pods make which gang: kept in step with the state, one index, no decisions. */
export class Roster {
  readonly #options: RosterOptions
  readonly #entries = new Map<string, Entry>()
  readonly #links = new Links()
  readonly #facts: Facts

  constructor(options: RosterOptions) {
    this.#options = options
    const { profiles, state } = options
    this.#facts = {
      membership: profiles.membership,
      podGroup: key => state.facts.podGroup(key),
      controllerSize: uid => state.facts.controllerSize(uid)
    }
  }

  keys(): Iterable<string> {
    return this.#entries.keys()
  }

  /** The key of the pod's gang; undefined for pods that muster does not group. */
  keyOf(pod: Pod): string | undefined {
    return this.#options.profiles.membership(pod)?.key
  }

  /** Takes a change in and answers the keys of the gangs that it touches. */
  podChanged({ before, after }: PodChange): string[] {
    const left = before && this.keyOf(before)
    const joined = after && this.keyOf(after)
    for (const key of [left, joined]) this.#outdate(key)
    if (before && left !== undefined) this.#remove(left, before, left === joined)
    if (after && joined !== undefined) this.#add(joined, after)
    return [...new Set([left, joined])].filter(key => key !== undefined)
  }

  /** The gangs that have members of this controller. */
  gangsOfController(uid: string): string[] {
    return this.#dependants(uid)
  }

  /** The gangs that have members which name the PodGroup `API/NAMESPACE/NAME`. */
  gangsOfPodGroup(key: string): string[] {
    return this.#dependants(key)
  }

  /** The gang as it is now; undefined when it has no pods left. The same object until something about it changes. */
  gang(key: string): Gang | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (entry.gang) return entry.gang
    const pods = [...entry.pods.values()]
    const terms = termsOf(pods, this.#facts)
    const minMember = terms.minMember ?? this.#settled(entry, terms)
    const { state, profiles, maxSize = Number.POSITIVE_INFINITY } = this.#options
    const problem = terms.problem ?? tooLarge(Math.max(pods.length, minMember ?? 0), maxSize)
    const gang = gangOf(pods, { ...terms, minMember, problem }, { profiles, nodeOf: pod => state.nodeOf(pod) })
    // What still settles becomes complete by time alone.
    if (minMember !== undefined || terms.atRest === undefined) entry.gang = gang
    return gang
  }

  /** Milliseconds until the gang counts as complete by having settled; 0 when it does, or when that does not matter. */
  settlesIn(key: string): number {
    const entry = this.#entries.get(key)
    if (!entry || entry.gang || this.gang(key)?.minMember !== undefined) return 0
    return Math.max(0, entry.changedAt + this.#options.settleMs - this.#options.clock.now())
  }

  #settled(entry: Entry, { atRest, isFollowed }: Terms): number | undefined {
    if (atRest === undefined) return undefined
    const started = entry.pods.values().some(pod => this.#options.state.nodeOf(pod) !== undefined)
    const quiet = this.#options.clock.now() - entry.changedAt >= this.#options.settleMs
    const was = entry.settled
    if (isFollowed) entry.settled = started || quiet || was !== undefined ? atRest : undefined
    // Complete once is complete: who joins later is surplus. Only members that go before the start begin it anew.
    else if (was === undefined || !(started || was <= atRest)) entry.settled = quiet ? atRest : undefined
    return entry.settled
  }

  #dependants(fact: string): string[] {
    const keys = this.#links.gangs(fact)
    for (const key of keys) this.#outdate(key)
    return keys
  }

  #outdate(key: string | undefined): void {
    const entry = key === undefined ? undefined : this.#entries.get(key)
    if (entry) entry.gang = undefined
  }

  #add(key: string, pod: Pod): void {
    const entry = this.#entries.get(key) ?? {
      pods: new Map<string, Pod>(),
      changedAt: 0,
      settled: undefined,
      gang: undefined
    }
    if (!entry.pods.has(pod.uid)) entry.changedAt = this.#options.clock.now()
    entry.pods.set(pod.uid, pod)
    this.#entries.set(key, entry)
    for (const fact of this.#factsOf(pod)) this.#links.add(fact, key)
  }

  #remove(key: string, pod: Pod, stays: boolean): void {
    const entry = this.#entries.get(key)
    if (!entry?.pods.has(pod.uid)) return
    for (const fact of this.#factsOf(pod)) this.#links.remove(fact, key)
    // Its new version takes the old one's place, and nobody came or went.
    if (stays) return
    entry.pods.delete(pod.uid)
    entry.changedAt = this.#options.clock.now()
    if (entry.pods.size === 0) this.#entries.delete(key)
  }

  /** What besides the pod its gang depends on: its controller's uid, and the PodGroup that it names. */
  #factsOf(pod: Pod): string[] {
    const object = this.#options.profiles.membership(pod)?.object
    return [pod.controller?.uid, object].filter(fact => fact !== undefined)
  }
}

function tooLarge(size: number, max: number): string | undefined {
  return size > max ? `a gang of ${size} members is larger than ${max} (--max-gang-size)` : undefined
}

/** Which gangs depend on what, by how many members. */
class Links {
  readonly #counts = new Map<string, Map<string, number>>()

  gangs(fact: string): string[] {
    return [...(this.#counts.get(fact)?.keys() ?? [])]
  }

  add(fact: string, gang: string): void {
    const counts = this.#counts.get(fact) ?? new Map<string, number>()
    this.#counts.set(fact, counts.set(gang, (counts.get(gang) ?? 0) + 1))
  }

  remove(fact: string, gang: string): void {
    const counts = this.#counts.get(fact)
    const left = (counts?.get(gang) ?? 0) - 1
    if (left > 0) counts?.set(gang, left)
    else counts?.delete(gang)
    if (counts?.size === 0) this.#counts.delete(fact)
  }
}
