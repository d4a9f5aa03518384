import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import type { PodChange, State } from '../state.ts'
import { membership } from './dialects.ts'
import { gangOf, type Gang } from './gang.ts'

type Entry = {
  readonly pods: Map<string, Pod>
  /** When a member last came or went, in the clock's monotonic milliseconds. */
  changedAt: number
  /** The quorum of a gang of undeclared size, once it has settled; fixed as soon as a member stands on a node. */
  settled: number | undefined
}

export type RosterOptions = {
  readonly state: State
  readonly clock: Clock
  /** True for pods that muster plans: their scheduler name has a profile. */
  readonly ours: (pod: Pod) => boolean
  /** How long a gang of undeclared size must not have grown before it counts as complete, in milliseconds. */
  readonly settleMs: number
}

/** Which pods make which gang: kept in step with the state, one index, no decisions. */
export class Roster {
  readonly #options: RosterOptions
  readonly #entries = new Map<string, Entry>()
  readonly #byController = new Map<string, Set<string>>()

  constructor(options: RosterOptions) {
    this.#options = options
  }

  keys(): Iterable<string> {
    return this.#entries.keys()
  }

  /** The key of the pod's gang; undefined for pods that muster does not group. */
  keyOf(pod: Pod): string | undefined {
    return this.#options.ours(pod) ? membership(pod)?.key : undefined
  }

  /** Takes a change in and answers the keys of the gangs that it touches. */
  podChanged({ before, after }: PodChange): string[] {
    const left = before && this.keyOf(before)
    const joined = after && this.keyOf(after)
    if (before && left !== undefined && left !== joined) this.#remove(left, before)
    if (after && joined !== undefined) this.#add(joined, after)
    return [...new Set([left, joined])].filter(key => key !== undefined)
  }

  /** The gangs that have members of this controller. */
  gangsOfController(uid: string): string[] {
    return [...(this.#byController.get(uid) ?? [])]
  }

  /** The gang as it is now; undefined when it has no pods left. */
  gang(key: string): Gang | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    const pods = [...entry.pods.values()]
    return gangOf(pods, this.#minMember(entry, pods), pod => this.#options.state.nodeOf(pod))
  }

  /** Milliseconds until the gang counts as complete by having settled; 0 when it does, or when that does not matter. */
  settlesIn(key: string): number {
    const entry = this.#entries.get(key)
    if (!entry || this.#declared([...entry.pods.values()]) !== undefined) return 0
    return Math.max(0, entry.changedAt + this.#options.settleMs - this.#options.clock.now())
  }

  #minMember(entry: Entry, pods: readonly Pod[]): number | undefined {
    const declared = this.#declared(pods)
    if (declared !== undefined) return declared
    const started = pods.some(pod => this.#options.state.nodeOf(pod) !== undefined)
    if (started && entry.settled !== undefined) return entry.settled
    const quiet = this.#options.clock.now() - entry.changedAt >= this.#options.settleMs
    entry.settled = quiet
      ? Math.max(1, pods.filter(pod => !pod.terminating && pod.phase !== 'Failed').length)
      : undefined
    return entry.settled
  }

  /** The size that the members declare, or the one of their only controller. */
  #declared(pods: readonly Pod[]): number | undefined {
    for (const pod of pods) {
      const size = membership(pod)?.minMember
      if (size !== undefined) return size
    }
    const controllers = new Set(pods.map(pod => pod.controller?.uid))
    const [only] = controllers
    return controllers.size === 1 && only !== undefined ? this.#options.state.controllerSize(only) : undefined
  }

  #add(key: string, pod: Pod): void {
    const entry = this.#entries.get(key) ?? { pods: new Map<string, Pod>(), changedAt: 0, settled: undefined }
    if (!entry.pods.has(pod.uid)) entry.changedAt = this.#options.clock.now()
    entry.pods.set(pod.uid, pod)
    this.#entries.set(key, entry)
    if (pod.controller === undefined) return
    const gangs = this.#byController.get(pod.controller.uid) ?? new Set<string>()
    this.#byController.set(pod.controller.uid, gangs.add(key))
  }

  #remove(key: string, pod: Pod): void {
    const entry = this.#entries.get(key)
    if (entry?.pods.delete(pod.uid)) entry.changedAt = this.#options.clock.now()
    if (entry?.pods.size === 0) this.#entries.delete(key)
    const uid = pod.controller?.uid
    const shared = entry?.pods.values().some(other => other.controller?.uid === uid)
    if (uid !== undefined && !shared) this.#unlink(uid, key)
  }

  #unlink(uid: string, key: string): void {
    const gangs = this.#byController.get(uid)
    gangs?.delete(key)
    if (gangs?.size === 0) this.#byController.delete(uid)
  }
}
