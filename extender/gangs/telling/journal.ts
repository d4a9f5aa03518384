import type { Explanation } from '../../../policies/plan.ts'
import { nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { State } from '../../state.ts'
import { unreadRecord } from '../planning/adoption.ts'
import { gangStates, placed, type Gang, type GangState } from '../membership/gang.ts'
import { gangState, isWhole } from '../membership/quorum.ts'
import type { Hold, Ledger } from '../ledger.ts'
import type { GangMetrics } from '../metrics.ts'
import type { Log, Recorder } from '../ports.ts'
import { reasonFor } from './reasons.ts'

/** A waiting gang's members hear why at most this often. */
const noticeMs = 60_000
/** Waiting for less than this is not worth an event. */
const patienceMs = 1_000

/** Of so many annotations an event names some. */
const mostNamed = 5

const noticeReasons: Partial<Record<GangState, string>> = {
  waiting: 'GangWaiting',
  refused: 'GangRefused',
  degraded: 'GangDegraded'
}

type Entry = {
  state: GangState
  /** Why the gang is not placed, in one sentence; undefined while nothing is in its way. */
  reason: string | undefined
  explanation: Explanation | undefined
  /** The last write for a member that the API server refused, while the gang is not whole. */
  hindrance: string | undefined
  waitingSince: number | undefined
  /** Since when its room is held and free. */
  roomSince: number | undefined
  partialSince: number | undefined
  noticedAt: number | undefined
  /** What the gang was told of its annotations, by the reason of the event. */
  readonly remarks: Map<string, string>
}

export type JournalParts = {
  readonly clock: Clock
  readonly metrics: GangMetrics
  readonly recorder: Recorder
  readonly log: Log
  readonly revisit: (gang: string) => void
}

/** What is told about gangs: states, reasons, metrics, events, log lines. Decides nothing. */
export class Journal {
  readonly #parts: JournalParts
  readonly #entries = new Map<string, Entry>()

  constructor(parts: JournalParts) {
    this.#parts = parts
  }

  /** Why the gang is not placed, in one sentence. */
  reason(key: string): string | undefined {
    return this.#entries.get(key)?.reason
  }

  explanation(key: string): Explanation | undefined {
    return this.#entries.get(key)?.explanation
  }

  /** Takes note of how the gang stands now. */
  look(gang: Gang, hold: Hold | undefined): void {
    const entry = this.#entry(gang.key)
    const state = gangState(gang, hold)
    if (state !== entry.state) this.#transition(gang, entry, state)
    if (isWhole(gang)) entry.hindrance = undefined
    const leavers = [...(hold?.leavers.values() ?? [])].map(({ pod }) => pod)
    entry.reason = reasonFor(gang, { ...entry, leavers })
    entry.roomSince = this.#since(hold?.leavers.size === 0, entry.roomSince)
    const partial = placed(gang) > 0 && state !== 'running' && state !== 'finished'
    entry.partialSince = this.#since(partial, entry.partialSince)
    this.#notice(gang, entry)
    this.#remark(gang, entry)
  }

  planned(gang: Gang, hold: Hold): void {
    const entry = this.#entry(gang.key)
    entry.explanation = undefined
    const nodes = new Set([...hold.claims.values()].map(claim => claim.node)).size
    this.#parts.log.info({ gang: gang.key, plan: hold.plan, members: hold.claims.size, nodes }, 'planned a gang')
  }

  explained(gang: Gang, explanation: Explanation | undefined): void {
    this.#entry(gang.key).explanation = explanation
  }

  withdrawn(key: string, hold: Hold, cause: string): void {
    this.#parts.log.warn({ gang: key, plan: hold.plan, cause }, 'withdrew a plan')
  }

  /** The API server did not bind a member. */
  unbound(pod: Pod, hold: Hold, message: string): void {
    const text = `member ${nameOf(pod)} could not be bound: ${message}`
    this.#entry(hold.gang).hindrance = text
    const note = `plan ${hold.plan}: ${text}`
    this.#parts.recorder.record({ pod, type: 'Warning', reason: 'BindingRefused', action: 'Binding', note })
    this.#parts.revisit(hold.gang)
  }

  /** The API server keeps a planned member from going on; one event tells of it, whomever it hits next. */
  hindered(pod: Pod, key: string, text: string): void {
    const entry = this.#entry(key)
    const note = `member ${nameOf(pod)} ${text}`
    if (entry.hindrance === undefined)
      this.#parts.recorder.record({ pod, type: 'Warning', reason: 'MemberHindered', action: 'Scheduling', note })
    entry.hindrance = note
    this.#parts.revisit(key)
  }

  expired(): void {
    this.#parts.metrics.holdExpirations.inc()
  }

  /** The quorum is on its nodes. */
  started(gang: Gang): void {
    const { clock, metrics } = this.#parts
    const newest = Math.max(...gang.members.map(member => member.pod.createdAt))
    const seconds = Math.max(0, (clock.wall() - newest) / 1000)
    metrics.startDuration.observe(seconds)
    const { roomSince } = this.#entry(gang.key)
    if (roomSince !== undefined) metrics.placementDuration.observe((clock.now() - roomSince) / 1000)
    this.#parts.log.info({ gang: gang.key, members: placed(gang), seconds }, 'started a gang')
  }

  forget(key: string): void {
    this.#entries.delete(key)
  }

  /** Fills the gauges; called when somebody scrapes. */
  collect(state: State, ledger: Ledger): void {
    const { metrics, clock } = this.#parts
    const counts = Map.groupBy(this.#entries.values(), entry => entry.state)
    for (const name of gangStates) {
      metrics.gangs.set({ state: name }, counts.get(name)?.length ?? 0)
    }
    const partial = [...this.#entries.values()].map(entry => entry.partialSince).filter(since => since !== undefined)
    metrics.partial.set(partial.length)
    metrics.oldestPartial.set(partial.length > 0 ? (clock.now() - Math.min(...partial)) / 1000 : 0)
    metrics.holds.set(ledger.size)
    for (const [resource, ratio] of heldRatios(state, ledger)) metrics.heldRatio.set({ resource }, ratio)
  }

  /** Since when it has been so without a break; undefined while it is not. */
  #since(isSo: boolean, before: number | undefined): number | undefined {
    return isSo ? (before ?? this.#parts.clock.now()) : undefined
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key)
    if (known) return known
    const entry: Entry = {
      state: 'forming',
      reason: undefined,
      explanation: undefined,
      hindrance: undefined,
      waitingSince: undefined,
      roomSince: undefined,
      partialSince: undefined,
      noticedAt: undefined,
      remarks: new Map()
    }
    this.#entries.set(key, entry)
    this.#parts.metrics.transitions.inc({ to: 'forming' })
    return entry
  }

  #transition(gang: Gang, entry: Entry, state: GangState): void {
    entry.state = state
    entry.noticedAt = undefined
    const waits = state === 'waiting' || state === 'refused' || state === 'degraded'
    entry.waitingSince = waits ? this.#parts.clock.now() : undefined
    this.#parts.metrics.transitions.inc({ to: state })
    if (waits) this.#parts.clock.after(patienceMs, () => this.#parts.revisit(gang.key))
  }

  #notice(gang: Gang, entry: Entry): void {
    if (entry.reason === undefined || !this.#isDue(entry)) return
    entry.noticedAt = this.#parts.clock.now()
    const reason = noticeReasons[entry.state] ?? 'GangWaiting'
    const type = entry.state === 'waiting' ? 'Normal' : 'Warning'
    const note = `gang ${gang.name}: ${entry.reason}`
    for (const { pod } of gang.members) {
      if (pod.nodeName === undefined) this.#parts.recorder.record({ pod, type, reason, action: 'Scheduling', note })
    }
  }

  /** One event per gang and reason, on its oldest member that is still to be placed. */
  #remark(gang: Gang, { remarks }: Entry): void {
    const pod = gang.members.find(member => member.pod.nodeName === undefined)?.pod
    if (pod === undefined) return
    for (const [reason, text] of remarksOn(gang)) {
      if (remarks.get(reason) === text) continue
      remarks.set(reason, text)
      const note = `gang ${gang.name}: ${text}`
      if (text !== '') this.#parts.recorder.record({ pod, type: 'Warning', reason, action: 'Scheduling', note })
    }
  }

  #isDue({ state, waitingSince, noticedAt }: Entry): boolean {
    if (waitingSince === undefined) return false
    const now = this.#parts.clock.now()
    const patient = state === 'refused' || now - waitingSince >= patienceMs
    return patient && (noticedAt === undefined || now - noticedAt >= noticeMs)
  }
}

/** By the reason of the event; empty where there is nothing to say. */
function remarksOn(gang: Gang): readonly (readonly [string, string])[] {
  const { inactive, unknown, misread = '' } = gang
  const without = inactive.length === 0 ? '' : `not active yet, and without effect: ${inactive.join(', ')}`
  const more = unknown.length > mostNamed ? ` and ${unknown.length - mostNamed} more` : ''
  const strange = `muster knows no annotation ${unknown.slice(0, mostNamed).join(', ')}${more}; it is without effect`
  return [
    ['AnnotationNotActive', without],
    ['AnnotationUnknown', unknown.length === 0 ? '' : strange],
    ['PriorityIgnored', misread],
    ['PlanIgnored', unreadRecord(gang) ?? '']
  ]
}

function heldRatios(state: State, ledger: Ledger): Map<string, number> {
  const held = new Map<string, number>()
  const total = new Map<string, number>()
  for (const { pod } of ledger.claims(() => true)) addTo(held, pod.shape.requests)
  for (const { node } of state.snapshot().nodes) addTo(total, node.allocatable)
  const resources = ['cpu', 'memory', 'pods']
  return new Map(resources.map(name => [name, total.get(name) ? (held.get(name) ?? 0) / (total.get(name) ?? 1) : 0]))
}

function addTo(sum: Map<string, number>, amounts: ReadonlyMap<string, number>): void {
  for (const [name, amount] of amounts) sum.set(name, (sum.get(name) ?? 0) + amount)
}
