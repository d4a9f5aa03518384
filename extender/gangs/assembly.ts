import { type Profile, runFilters } from '../../policies/framework.ts'
import type { NodeInfo } from '../../policies/snapshot.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock, Random } from '../clock.ts'
import type { Scope } from '../config.ts'
import { InvariantViolation } from '../errors.ts'
import type { State } from '../state.ts'
import { Barrier } from './effects/barrier.ts'
import { Bodies } from './planning/bodies.ts'
import { Commit } from './effects/commit.ts'
import { boundless, type Caps, Crowd } from './planning/crowd.ts'
import { Coordinator } from './coordinator.ts'
import { gatedByMuster } from './membership/dialects.ts'
import { Endings } from './effects/endings.ts'
import { Evictions } from './effects/evictions.ts'
import { Guard } from './effects/guard.ts'
import { Handover } from './effects/handover.ts'
import { Journal } from './telling/journal.ts'
import { Keeper } from './keeper.ts'
import { Ledger } from './ledger.ts'
import type { GangMetrics } from './metrics.ts'
import { Outlook } from './planning/outlook.ts'
import { Patience } from './effects/patience.ts'
import { Moves } from './planning/moves.ts'
import { Planning } from './planning/planning.ts'
import { Preemption } from './planning/preemption.ts'
import type { Binder, Log, Nominator, OnViolation, Recorder, Terminator, Tracer } from './ports.ts'
import { Profiles } from './membership/profiles.ts'
import type { Quarantine } from './planning/quarantine.ts'
import { Queue } from './queue.ts'
import { Reconciler } from './effects/reconciler.ts'
import { Refusals } from './planning/refusals.ts'
import { Rights } from './rights.ts'
import { Rooms } from './planning/rooms.ts'
import { Roster } from './membership/roster.ts'
import { Rounds } from './rounds.ts'
import { GangTraces } from './telling/tracing.ts'
import { WriteQueue } from './effects/write-queue.ts'

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
  /** Absent: no caps. */
  readonly caps?: Caps
  readonly epoch: () => number
  /** Outlives this life. */
  readonly quarantine: Quarantine
  /** Whether kube-scheduler asks about all pods, or about marked ones alone. */
  readonly scope: Scope
  /** Why the picture of the cluster is too old to plan by; undefined, or absent, while it is not. */
  readonly outdated?: () => string | undefined
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

  const rights = new Rights({ clock, log, roomGrew })
  const profiles = new Profiles(parts.profiles, parts.priorityCap, parts.scope)
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
  const caps = parts.caps ?? boundless
  const roster = new Roster({ state, clock, profiles, settleMs: parts.settleMs, maxSize: caps.size })
  const groupOf = (pod: Pod): string | undefined => roster.keyOf(pod)
  const gang = roster.gang.bind(roster)
  const traces = tracer && new GangTraces({ tracer, clock, state, roster, ledger, epoch })
  const { recorder, binder, nominator, terminator } = traces?.over(parts) ?? parts

  const journal = new Journal({ clock, metrics, recorder, log, revisit })
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
    rights,
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
    rights,
    podNow: uid => state.pod(uid),
    revisit
  })
  const barred = (pod: Pod): boolean => evictions.barred(pod)
  const isOurs = (pod: Pod): boolean => profileOf(pod) !== undefined
  // The room of a moved pod is held for one that nobody can nominate yet.
  const moving = parts.scope === 'all'
  const bodies = new Bodies({ state, roster, ledger, clock, rankOf, isOurs, barred, moving, rights })
  const isSent = (uid: string): boolean => evictions.isSent(uid)
  const moves = new Moves({ state, ledger, clock, rankOf, isSent, roomGrew })
  const isFor: Moves['isFor'] = (hold, pod) => moves.isFor(hold, pod)
  const outlook = new Outlook({ state, roster, profiles, patience })
  const lacks = (): readonly string[] => rights.lacks('evict')
  const preemption = new Preemption({ bodies, outlook, profileOf, clock, lacks, retry, roomGrew })
  const rooms = new Rooms({ state, ledger, groupOf })
  const plans = { state, ledger, refusals, clock, rights, holdTtlMs }
  const isEven = (): boolean => profiles.isEven
  const planning = new Planning({ ...plans, rooms, preemption, moves, metrics, epoch: parts.epoch, groupOf, isEven })
  const plannedNode = (uid: string): string | undefined => ledger.openFor(uid)?.claim.node
  // Where kube-scheduler asks about no others, a nomination alone keeps them off the room that victims leave.
  const nominee = (pod: Pod): string | undefined => {
    const early = parts.scope === 'gangs' && gatedByMuster(pod) ? ledger.of(pod.uid) : undefined
    return plannedNode(pod.uid) ?? early?.claim.node
  }
  const arrived = (uid: string): boolean => commit.has(uid)
  const standBack: Patience['standBack'] = key => patience.standBack(key)
  const reconciler = new Reconciler({
    ...{ nominator, terminator, clock, random, log, writes, rights, plannedNode, nominee, arrived, withdraw, revisit },
    letsGo: each => handover.begin(each),
    hindered: (pod, key, text) => journal.hindered(pod, key, text),
    epoch: parts.epoch
  })
  const stillFits: Keeper['stillFits'] = hold => keeper.stillFits(hold)
  const started: Journal['started'] = each => {
    evictions.started(each.key)
    journal.started(each)
    traces?.started(each)
  }
  const handover = new Handover({ ledger, started, isLettingGo: pod => reconciler.isLettingGo(pod) })
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
    handover,
    journal,
    evictions,
    moves,
    groupOf,
    profileOf,
    lost,
    revisit,
    standBack
  })
  const passedOver: Journal['explained'] = (each, explanation) => journal.explained(each, explanation)
  const queue = new Queue({ roster, ledger, keeper, patience, crowd: new Crowd(caps.waiting), passedOver })
  const effects = { commit, reconciler, evictions, endings }
  const rounds = new Rounds({
    ...{ roster, ledger, planning, queue, keeper, patience, preemption, outlook, journal, clock, onViolation, traces },
    ...effects,
    quarantine: parts.quarantine,
    outdated: () => parts.outdated?.(),
    resyncMs: parts.resyncMs
  })
  const coordinator = new Coordinator({
    ...{ state, roster, ledger, planning, keeper, refusals, rounds, moves, outlook, clock, holdTtlMs },
    ...effects
  })
  const guard = new Guard({ state, ledger, binder, clock, log, rankOf, isFor, withdraw })
  return { roster, ledger, bodies, guard, commit, keeper, journal, coordinator, traces }
}
