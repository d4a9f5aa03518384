import type { Clock } from '../../clock.ts'
import { BackoffQueue } from './backoff.ts'
import { type Entry, isBefore, newEntry } from './entry.ts'
import { type ClusterEvent, podUpdates } from './events.ts'
import { Heap } from './heap.ts'
import { isWorthTrying } from './hints.ts'
import type { Nominator } from './nominator.ts'
import type { PodView } from './views.ts'

/** Upstream's `podMaxInUnschedulablePodsDuration`, and how often it looks. */
const parkedMs = 5 * 60_000
const flushMs = 30_000

export type QueueParts = {
  readonly clock: Clock
  readonly initialBackoffMs: number
  readonly maxBackoffMs: number
  readonly nominator: Nominator
  /** There is something to pop. */
  readonly onReady: () => void
}

/** The waiting pods: those that may go, those that back off, and those that wait for an event (upstream PriorityQueue). */
export class SchedulingQueue {
  readonly #parts: QueueParts
  readonly #active = new Heap<Entry>(isBefore)
  readonly #backoff: BackoffQueue
  readonly #parked = new Map<string, Entry>()
  /** Pods in a scheduling cycle, with what happened since it began. */
  readonly #inFlight = new Map<string, ClusterEvent[]>()
  #cancelFlush: () => void = () => {}

  constructor(parts: QueueParts) {
    this.#parts = parts
    this.#backoff = new BackoffQueue({
      clock: parts.clock,
      initialMs: parts.initialBackoffMs,
      maxMs: parts.maxBackoffMs,
      onOver: entries => {
        for (const entry of entries) this.#activate(entry)
      }
    })
    this.#flushLater()
  }

  stop(): void {
    this.#cancelFlush()
    this.#backoff.stop()
  }

  /** How many pods are where. */
  get counts(): { readonly active: number; readonly backoff: number; readonly parked: number } {
    return { active: this.#active.size, backoff: this.#backoff.size, parked: this.#parked.size }
  }

  /** A pod is new. */
  add(view: PodView): void {
    this.#activate(newEntry(view, this.#parts.clock.now()), true)
  }

  /** A waiting pod has changed. While it is being scheduled that is only kept in mind. */
  update(before: PodView, after: PodView): void {
    const events = podUpdates(before.pod, after.pod)
    const seen = this.#inFlight.get(after.pod.uid)
    if (seen) {
      seen.push(...events)
      return
    }
    const waiting = this.#active.get(after.pod.uid) ?? this.#backoff.get(after.pod.uid)
    const entry = waiting ?? this.#parked.get(after.pod.uid)
    if (!entry) {
      this.#activate(newEntry(after, this.#parts.clock.now()), true)
      return
    }
    entry.view = after
    this.#parts.nominator.update(before, after)
    if (waiting) return
    for (const event of events) if (this.#requeue(entry, isWorthTrying(event, after.pod, entry.plugins))) return
  }

  delete(uid: string): void {
    this.#parts.nominator.delete(uid)
    if (!this.#active.delete(uid) && !this.#backoff.delete(uid)) this.#parked.delete(uid)
  }

  /** The next pod to try. Where nobody else wants to, one that was refused need not wait to the end. */
  pop(): Entry | undefined {
    const entry = this.#active.pop() ?? this.#backoff.popEarly()
    if (!entry) return undefined
    entry.attempts++
    this.#inFlight.set(entry.uid, [])
    return entry
  }

  /** The pod's cycle has ended, or goes on without the queue. */
  done(uid: string): void {
    this.#inFlight.delete(uid)
  }

  /** A pod comes back from a cycle that failed: refused by `entry.plugins`, or broken where there are none. */
  putBack(entry: Entry): void {
    const isBroken = entry.plugins.size === 0
    if (isBroken) entry.errors++
    else {
      entry.refusals++
      entry.errors = 0
    }
    entry.timestamp = this.#parts.clock.now()
    const missed = this.#inFlight.get(entry.uid) ?? []
    this.#requeue(entry, isBroken || missed.some(event => isWorthTrying(event, entry.view.pod, entry.plugins)))
    this.done(entry.uid)
  }

  /** Something happened: those go on for whom it may make a difference, among those whom `matches` lets. */
  move(event: ClusterEvent, matches: (view: PodView) => boolean = () => true): void {
    for (const entry of [...this.#parked.values()]) {
      if (entry.gated || !matches(entry.view)) continue
      if (isWorthTrying(event, entry.view.pod, entry.plugins)) this.#requeue(entry, true)
    }
    for (const seen of this.#inFlight.values()) seen.push(event)
  }

  /** Back to waiting for events, to the end of the backoff, or to the front. Whether it may be popped. */
  #requeue(entry: Entry, isWorthIt: boolean): boolean {
    if (isWorthIt && !this.#isGated(entry)) {
      if (!this.#backoff.isWaiting(entry)) return this.#activate(entry)
      this.#parked.delete(entry.uid)
      this.#backoff.add(entry)
      this.#parts.onReady()
      return true
    }
    this.#parked.set(entry.uid, entry)
    return false
  }

  #activate(entry: Entry, isNew = false): boolean {
    if (this.#isGated(entry)) {
      this.#parked.set(entry.uid, entry)
      return false
    }
    this.#parked.delete(entry.uid)
    this.#backoff.delete(entry.uid)
    this.#active.push(entry)
    if (isNew) this.#parts.nominator.nominate(entry.view)
    this.#parts.onReady()
    return true
  }

  /** Gates hold a pod back before any queue; only their removal moves it. */
  #isGated(entry: Entry): boolean {
    entry.gated = entry.view.pod.gates.length > 0
    if (entry.gated) entry.plugins.add('SchedulingGates')
    return entry.gated
  }

  #flushLater(): void {
    this.#cancelFlush = this.#parts.clock.after(flushMs, () => {
      const latest = this.#parts.clock.now() - parkedMs
      const old = new Set(
        [...this.#parked.values()].filter(({ timestamp }) => timestamp < latest).map(({ uid }) => uid)
      )
      if (old.size > 0) this.move({ resource: 'Any' }, ({ pod }) => old.has(pod.uid))
      this.#flushLater()
    })
  }
}
