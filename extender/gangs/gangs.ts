import type { Pod } from '../../policies/types.ts'
import { assemble, type GangsParts } from './assembly.ts'
import type { Bodies } from './planning/bodies.ts'
import type { Commit } from './effects/commit.ts'
import type { Coordinator } from './coordinator.ts'
import { survives } from './membership/quorum.ts'
import type { Guard } from './effects/guard.ts'
import type { Keeper } from './keeper.ts'
import type { Ledger } from './ledger.ts'
import type { TracedGang } from './ports.ts'
import { Reports } from './telling/report.ts'
import type { Roster } from './membership/roster.ts'
import type { GangTraces } from './telling/tracing.ts'

/** The barrier ends so long before kube-scheduler's patience does, so that what was let through can still be written. */
const barrierMarginMs = 5_000
/** No write starts so shortly before kube-scheduler gives up: its reply could come too late. */
const writeMarginMs = 1_000

const absent = 'muster does not know this pod (yet); it is scheduled again'

export type BindAsk = { readonly uid: string; readonly node: string; readonly signal: AbortSignal }

export type Placement =
  | { readonly kind: 'ordinary'; readonly bars: ((node: string) => boolean) | undefined }
  | { readonly kind: 'planned'; readonly node: string }
  | { readonly kind: 'waiting' }

/** The gangs of a cluster, wired together: what the verbs look up and what the human API reports. */
export class Gangs {
  readonly reports: Reports
  readonly #parts: GangsParts
  readonly #roster: Roster
  readonly #ledger: Ledger
  readonly #bodies: Bodies
  readonly #guard: Guard
  readonly #commit: Commit
  readonly #keeper: Keeper
  readonly #coordinator: Coordinator
  readonly #traces: GangTraces | undefined

  constructor(parts: GangsParts) {
    const { state } = parts
    const { roster, ledger, bodies, guard, commit, keeper, coordinator, journal, traces } = assemble(parts)
    this.#parts = parts
    this.#roster = roster
    this.#ledger = ledger
    this.#bodies = bodies
    this.#guard = guard
    this.#commit = commit
    this.#keeper = keeper
    this.#coordinator = coordinator
    this.#traces = traces
    this.reports = new Reports({ state, roster, ledger, journal, outdated: () => parts.outdated?.() })
    state.subscribe(coordinator)
  }

  /** Once everything is listed: takes over what a former life decided, and plans from then on. */
  start(): void {
    const { metrics, epoch } = this.#parts
    metrics.epoch.set(epoch())
    this.#coordinator.start()
  }

  /** Where the pod may go. Same state, same answer; commits nothing. */
  placement(asked: Pod): Placement {
    const pod = this.#parts.state.pod(asked.uid) ?? asked
    const planned = this.#ledger.openFor(pod.uid)
    if (planned) return { kind: 'planned', node: planned.claim.node }
    if (this.#roster.keyOf(pod) !== undefined) return { kind: 'waiting' }
    return { kind: 'ordinary', bars: this.#guard.idle ? undefined : node => this.#guard.bars(pod, node) }
  }

  /** The trace of the pod's gang; undefined for a pod that is in none, and while nobody traces. */
  traceOf(uid: string): TracedGang | undefined {
    return this.#traces?.of(uid)
  }

  refusedInTree(asked: Pod, node: string, offered: readonly string[]): void {
    this.#keeper.refused(this.#parts.state.pod(asked.uid) ?? asked, node, offered)
  }

  /** kube-scheduler offers these nodes for a pod that has to wait: what was learnt against them no longer holds. */
  offered(asked: Pod, names: () => readonly string[]): void {
    this.#keeper.offered(this.#parts.state.pod(asked.uid) ?? asked, names)
  }

  /** Of the candidate nodes with their victims' uids, those where preemption breaks no gang and helps the pod. */
  allowedPreemptions(asked: Pod, candidates: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
    const pod = this.#parts.state.pod(asked.uid) ?? asked
    // Members are planned whole, victims included: kube-scheduler must not evict for one of them.
    if (this.#roster.keyOf(pod) !== undefined) return new Set()
    const allowed = [...candidates].filter(
      ([node, uids]) => this.#mayGo(uids) && this.#keepsGangs(uids) && this.#guard.helps(pod, node, uids)
    )
    return new Set(allowed.map(([node]) => node))
  }

  /** The error text for kube-scheduler; empty when the pod is on that node. */
  async bind({ uid, node, signal }: BindAsk): Promise<string> {
    const { state, clock, bindTimeoutMs } = this.#parts
    const asked = clock.now()
    const call = {
      ...{ uid, node, signal },
      deadline: asked + bindTimeoutMs - writeMarginMs,
      barrierDeadline: asked + bindTimeoutMs - barrierMarginMs
    }
    const pod = state.pod(uid)
    if (!pod) return absent
    if (pod.nodeName === node) return ''
    // A member is assumed only once its binding is known to have succeeded.
    const isMember = this.#roster.keyOf(pod) !== undefined
    if (isMember && state.nodeOf(pod) === node) return ''
    const answer = await (isMember ? this.#commit : this.#guard).bind(pod, call)
    if (signal.aborted) this.#guard.doubt()
    return answer
  }

  /** False where one of them is protected, or leaves for somebody else already. */
  #mayGo(victims: readonly string[]): boolean {
    const pods = victims.map(uid => this.#parts.state.pod(uid)).filter(pod => pod !== undefined)
    return pods.every(pod => !this.#bodies.isFresh(pod) && this.#ledger.victimFor(pod.uid).length === 0)
  }

  /** False where these evictions would leave a gang partly running, or hit one that is just starting. */
  #keepsGangs(victims: readonly string[]): boolean {
    const pods = victims.map(uid => this.#parts.state.pod(uid)).filter(pod => pod !== undefined)
    for (const [key, hit] of Map.groupBy(pods, pod => this.#roster.keyOf(pod))) {
      const gang = key === undefined ? undefined : this.#roster.gang(key)
      if (!gang) continue
      if (this.#ledger.hold(gang.key)?.firm) return false
      if (!survives(gang, new Set(hit.map(pod => pod.uid)))) return false
    }
    return true
  }
}
