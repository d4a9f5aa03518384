import type { Registry } from 'prom-client'
import type { Profile } from '../../policies/framework.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import { InvariantViolation } from '../errors.ts'
import type { State } from '../state.ts'
import { Barrier } from './barrier.ts'
import { Commit } from './commit.ts'
import { Coordinator } from './coordinator.ts'
import { survives } from './gang.ts'
import { Guard } from './guard.ts'
import { Journal } from './journal.ts'
import { Keeper } from './keeper.ts'
import { Ledger } from './ledger.ts'
import { gangMetrics, initialise } from './metrics.ts'
import { Planning } from './planning.ts'
import type { Binder, Log, Nominator, OnViolation, Recorder } from './ports.ts'
import { Reconciler } from './reconciler.ts'
import { Refusals } from './refusals.ts'
import { Reports } from './report.ts'
import { Roster } from './roster.ts'
import { WriteQueue } from './write-queue.ts'

export type GangsParts = {
  readonly state: State
  readonly clock: Clock
  readonly log: Log
  readonly registry: Registry
  readonly binder: Binder
  readonly nominator: Nominator
  readonly recorder: Recorder
  readonly profile: Profile
  /** Scheduler names whose pods muster plans. */
  readonly schedulerNames: ReadonlySet<string>
  readonly epoch: () => number
  readonly settleMs: number
  readonly holdTtlMs: number
  readonly resyncMs: number
  /** kube-scheduler's timeout for one bind call; the barrier ends 5 s earlier. */
  readonly bindTimeoutMs: number
  readonly concurrency: number
  readonly onViolation: OnViolation
}

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
  readonly #ledger = new Ledger()
  readonly #guard: Guard
  readonly #commit: Commit
  readonly #keeper: Keeper
  readonly #coordinator: Coordinator

  constructor(parts: GangsParts) {
    const { state, clock, log, registry, profile } = parts
    const ours = (pod: Pod): boolean => parts.schedulerNames.has(pod.schedulerName)
    const metrics = gangMetrics(registry, () => journal.collect(state, this.#ledger))
    initialise(metrics)
    const onViolation = (error: unknown): void => {
      if (error instanceof InvariantViolation) metrics.violations.inc({ invariant: error.invariant })
      parts.onViolation(error)
    }
    const ledger = this.#ledger
    const writes = new WriteQueue(parts.concurrency)
    const revisit = (key: string): void => this.#coordinator.revisit(key)
    const roster = new Roster({ state, clock, ours, settleMs: parts.settleMs })
    const barrier = new Barrier(clock, metrics)
    const refusals = new Refusals(clock)
    const journal = new Journal({ clock, metrics, recorder: parts.recorder, log, revisit })
    const planning = new Planning({
      ...{ state, ledger, refusals, clock, metrics, profile },
      epoch: parts.epoch,
      holdTtlMs: parts.holdTtlMs,
      groupOf: pod => roster.keyOf(pod)
    })
    const reconciler = new Reconciler({
      ...{ nominator: parts.nominator, clock, log, revisit, writes },
      plannedNode: uid => ledger.of(uid)?.claim.node,
      arrived: uid => this.#commit.has(uid)
    })
    this.#commit = new Commit({
      ...{ state, ledger, barrier, binder: parts.binder, clock, log, onViolation },
      gang: key => roster.gang(key),
      stillFits: hold => this.#keeper.stillFits(hold),
      started: gang => journal.started(gang)
    })
    this.#keeper = new Keeper({
      ...{ state, ledger, planning, barrier, commit: this.#commit, refusals, journal, profile, clock, revisit },
      holdTtlMs: parts.holdTtlMs,
      lost: key => this.#coordinator.lost(key)
    })
    this.#coordinator = new Coordinator({
      ...{
        state,
        roster,
        ledger,
        planning,
        keeper: this.#keeper,
        commit: this.#commit,
        reconciler,
        refusals,
        journal,
        clock
      },
      ...{ resyncMs: parts.resyncMs, onViolation }
    })
    this.#guard = new Guard({
      ...{ state, ledger, binder: parts.binder, clock, log },
      withdraw: (gang, cause) => this.#keeper.withdraw(gang, cause)
    })
    this.#parts = parts
    this.#roster = roster
    this.reports = new Reports({ state, roster, ledger, journal })
    state.subscribe(this.#coordinator)
  }

  /** Once everything is listed: takes over what a former life decided, and plans from then on. */
  start(): void {
    this.#coordinator.start()
  }

  /** Where the pod may go. Same state, same answer; commits nothing. */
  placement(asked: Pod): Placement {
    const pod = this.#parts.state.pod(asked.uid) ?? asked
    const planned = this.#ledger.of(pod.uid)
    if (planned) return { kind: 'planned', node: planned.claim.node }
    if (this.#roster.keyOf(pod) !== undefined) return { kind: 'waiting' }
    return { kind: 'ordinary', bars: this.#guard.idle ? undefined : node => this.#guard.bars(pod, node) }
  }

  refusedInTree(asked: Pod, node: string, offered: readonly string[]): void {
    this.#keeper.refused(this.#parts.state.pod(asked.uid) ?? asked, node, offered)
  }

  /** Of the candidate nodes with their victims' uids, those where preemption breaks no gang and helps the pod. */
  allowedPreemptions(asked: Pod, candidates: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
    const pod = this.#parts.state.pod(asked.uid) ?? asked
    // Members are planned whole, victims included: kube-scheduler must not evict for one of them.
    if (this.#roster.keyOf(pod) !== undefined) return new Set()
    const allowed = [...candidates].filter(
      ([node, uids]) => this.#keepsGangs(uids) && this.#guard.helps(pod, node, uids)
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
    if (this.#roster.keyOf(pod) !== undefined) return this.#commit.bind(pod, call)
    return this.#guard.bind(pod, call)
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
