import { type Profile, runFilters } from '../../policies/framework.ts'
import type { NodeInfo } from '../../policies/snapshot.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock, Random } from '../clock.ts'
import { InvariantViolation } from '../errors.ts'
import type { State } from '../state.ts'
import { Barrier } from './barrier.ts'
import { Bodies } from './bodies.ts'
import { Commit } from './commit.ts'
import { Coordinator } from './coordinator.ts'
import { Endings } from './endings.ts'
import { Evictions } from './evictions.ts'
import { Guard } from './guard.ts'
import { Journal } from './journal.ts'
import { Keeper } from './keeper.ts'
import { Ledger } from './ledger.ts'
import type { GangMetrics } from './metrics.ts'
import { Outlook } from './outlook.ts'
import { Patience } from './patience.ts'
import { Moves } from './moves.ts'
import { Planning } from './planning.ts'
import { Preemption } from './preemption.ts'
import type { Binder, Log, Nominator, OnViolation, Recorder, Terminator, Tracer } from './ports.ts'
import { Profiles } from './profiles.ts'
import type { Quarantine } from './quarantine.ts'
import { Queue } from './queue.ts'
import { Reconciler } from './reconciler.ts'
import { Refusals } from './refusals.ts'
import { Rooms } from './rooms.ts'
import { Roster } from './roster.ts'
import { Rounds } from './rounds.ts'
import { GangTraces } from './tracing.ts'
import { WriteQueue } from './write-queue.ts'

export type GangsParts = {
  readonly state: State
  readonly clock: Clock
  /** For jitter. */
  readonly random: Random
  readonly log: Log
  readonly metrics: GangMetrics
  readonly binder: Binder
  readonly nominator: Nominator
  readonly recorder: Recorder
  readonly terminator: Terminator
  /** By the scheduler name whose pods it belongs to; muster plans no others. */
  readonly profiles: ReadonlyMap<string, Profile>
  /** How far annotations lift a namespace's pods over those of others. */
  readonly priorityCap: (namespace: string) => number
  readonly epoch: () => number
  /** Outlives this life. */
  readonly quarantine: Quarantine
  readonly settleMs: number
  readonly holdTtlMs: number
  readonly resyncMs: number
  /** How long a gang may be partly running before `on-partial: evict` ends it. */
  readonly repairMs: number
  /** kube-scheduler's timeout for one bind call; the barrier ends 5 s earlier. */
  readonly bindTimeoutMs: number
  readonly concurrency: number
  readonly onViolation: OnViolation
  /** Absent while nobody traces. */
  readonly tracer?: Tracer | undefined
}

/** The parts that answer for the whole. */
export type Assembly = {
  readonly roster: Roster
  readonly ledger: Ledger
  readonly bodies: Bodies
  readonly guard: Guard
  readonly commit: Commit
  readonly keeper: Keeper
  readonly journal: Journal
  readonly coordinator: Coordinator
  readonly traces: GangTraces | undefined
}

/** Plugs the parts of this folder into each other; whom a part tells is handed to it as a function. */
// oxlint-disable-next-line max-statements -- a list of parts, one line each
export function assemble(parts: GangsParts): Assembly {
  const { state, clock, log, metrics, holdTtlMs, repairMs } = parts
  const { random, tracer, epoch } = parts
  const onViolation = (error: unknown): void => {
    if (error instanceof InvariantViolation) metrics.violations.inc({ invariant: error.invariant })
    parts.onViolation(error)
  }
  const revisit = (key: string): void => rounds.revisit(key)
  const retry = (key: string): void => rounds.retry(key)
  const roomGrew = (): void => rounds.roomGrew()
  const lost = (key: string): void => rounds.lost(key)
  const withdraw = (key: string, cause: string): void => keeper.withdraw(key, cause)

  const profiles = new Profiles(parts.profiles, parts.priorityCap)
  const profileOf = (pod: Pod): Profile | undefined => profiles.of(pod)
  const rankOf = profiles.rank
  const ledger = new Ledger()
  const writes = new WriteQueue(parts.concurrency, onViolation)
  const barrier = new Barrier(clock, metrics)
  // Room that is held or nominated is missing in kube-scheduler's offer by our own doing.
  const isExplained = (pod: Pod, info: NodeInfo): boolean =>
    ledger.on(info.node.name).length > 0 ||
    [...state.nominated()].some(other => other.nominatedNodeName === info.node.name) ||
    runFilters(profileOf(pod)?.filters ?? [], pod.shape, info) !== undefined
  const refusals = new Refusals(clock, isExplained)
  const roster = new Roster({ state, clock, profiles, settleMs: parts.settleMs })
  const groupOf = (pod: Pod): string | undefined => roster.keyOf(pod)
  const gang = roster.gang.bind(roster)
  const traces = tracer && new GangTraces({ tracer, clock, state, roster, ledger, epoch })
  const { recorder, binder, nominator, terminator } = traces?.over(parts) ?? parts

  const journal = new Journal({ clock, metrics, recorder, log, revisit })
  metrics.epoch.set(parts.epoch())
  metrics.collectFrom(() => journal.collect(state, ledger))
  const patience = new Patience({ clock, log, recorder, terminator, writes, repairMs, revisit })
  const evictions = new Evictions({
    ledger,
    terminator,
    writes,
    clock,
    random,
    log,
    recorder,
    metrics,
    withdraw,
    revisit,
    roomGrew
  })
  const endings = new Endings({
    ledger,
    evictions,
    terminator,
    writes,
    clock,
    log,
    podNow: uid => state.pod(uid),
    revisit
  })
  const barred = (uid: string): boolean => evictions.barred(uid)
  const isOurs = (pod: Pod): boolean => profileOf(pod) !== undefined
  const bodies = new Bodies({ state, roster, ledger, clock, rankOf, isOurs, barred })
  const isSent = (uid: string): boolean => evictions.isSent(uid)
  const moves = new Moves({ state, ledger, clock, rankOf, isSent, roomGrew })
  const isFor: Moves['isFor'] = (hold, pod) => moves.isFor(hold, pod)
  const outlook = new Outlook({ state, roster, profiles, patience })
  const preemption = new Preemption({ bodies, outlook, profileOf, clock, retry, roomGrew })
  const rooms = new Rooms({ state, ledger, groupOf })
  const plans = { state, ledger, refusals, clock, holdTtlMs }
  const isEven = (): boolean => profiles.isEven
  const planning = new Planning({ ...plans, rooms, preemption, moves, metrics, epoch: parts.epoch, groupOf, isEven })
  const plannedNode = (uid: string): string | undefined => ledger.openFor(uid)?.claim.node
  const arrived = (uid: string): boolean => commit.has(uid)
  const standBack: Patience['standBack'] = key => patience.standBack(key)
  const reconciler = new Reconciler({ nominator, clock, random, log, writes, plannedNode, arrived, revisit })
  const stillFits: Keeper['stillFits'] = hold => keeper.stillFits(hold)
  const started: Journal['started'] = each => {
    evictions.started(each.key)
    journal.started(each)
    traces?.started(each)
  }
  const unbound: Journal['unbound'] = (pod, hold, message) => journal.unbound(pod, hold, message)
  const commit = new Commit({
    state,
    ledger,
    barrier,
    binder,
    clock,
    log,
    onViolation,
    gang,
    stillFits,
    started,
    unbound,
    revisit,
    traces
  })
  const keeper = new Keeper({
    ...plans,
    barrier,
    commit,
    journal,
    evictions,
    moves,
    groupOf,
    profileOf,
    lost,
    revisit,
    standBack
  })
  const queue = new Queue({ roster, ledger, keeper, patience })
  const effects = { commit, reconciler, evictions, endings }
  const rounds = new Rounds({
    ...{ roster, ledger, planning, queue, keeper, patience, preemption, outlook, journal, clock, onViolation, traces },
    ...effects,
    quarantine: parts.quarantine,
    resyncMs: parts.resyncMs
  })
  const coordinator = new Coordinator({
    ...{ state, roster, ledger, planning, keeper, refusals, rounds, moves, outlook, clock, holdTtlMs },
    ...effects
  })
  const guard = new Guard({ state, ledger, binder, clock, log, rankOf, isFor, withdraw })
  return { roster, ledger, bodies, guard, commit, keeper, journal, coordinator, traces }
}
