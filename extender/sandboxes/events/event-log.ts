import type { Clock } from '../../clock.ts'
import type { Event } from '../proto/generated/sandbox/v1/events_pb.js'

/** An event with its place in the order of all, and its CloudEvents JSON. */
export type Recorded = { readonly sequence: number; readonly event: Event; readonly body: string }

/** What came after a place. `gap`: events between are forgotten; the first that follows has this number, or will have. */
export type Since = { readonly events: readonly Recorded[]; readonly gap?: number }

export type LogBounds = { readonly events: number; readonly bytes: number }

export const logBounds: LogBounds = { events: 10_000, bytes: 16 * 1024 * 1024 }

/** The last events, bounded by number and by size. Readers hold a place in it, and nothing is kept for them. */
export class EventLog {
  readonly #bounds: LogBounds
  #events: Recorded[] = []
  /** Events before this index are forgotten; they go in bulk. */
  #first = 0
  #bytes = 0
  /** Events up to here are forgotten. */
  #forgotten: number
  readonly #waiting = new Set<() => void>()

  /** Begins after that sequence number. */
  constructor(after: number, bounds: LogBounds = logBounds) {
    this.#forgotten = after
    this.#bounds = bounds
  }

  get size(): number {
    return this.#events.length - this.#first
  }

  /** The place before all that is remembered. */
  get start(): number {
    return this.#forgotten
  }

  /** The place after everything. */
  get end(): number {
    return this.#events.at(-1)?.sequence ?? this.#forgotten
  }

  append(recorded: Recorded): void {
    this.#events.push(recorded)
    this.#bytes += recorded.body.length
    while (this.size > this.#bounds.events || this.#bytes > this.#bounds.bytes) this.#forget()
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Events after a place, at most so many. A place that is no longer, or not yet, in the log is a gap. */
  since(after: number, limit: number): Since {
    const known = after >= this.#forgotten && after <= this.end
    const from = known ? this.#indexAfter(after) : this.#first
    const events = this.#events.slice(from, from + limit)
    return known ? { events } : { events, gap: events[0]?.sequence ?? this.end + 1 }
  }

  /** Resolves with the next event, after so long, or with the signal; true for an event. */
  next(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false)
    return new Promise(resolve => {
      const settle = (came: boolean): void => {
        cancel()
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', stop)
        resolve(came)
      }
      const wake = (): void => settle(true)
      const stop = (): void => settle(false)
      const cancel = clock.after(ms, stop)
      this.#waiting.add(wake)
      signal.addEventListener('abort', stop)
    })
  }

  #forget(): void {
    const gone = this.#events[this.#first]
    if (!gone) return
    this.#bytes -= gone.body.length
    this.#forgotten = gone.sequence
    this.#first += 1
    // In bulk, so that forgetting one costs the same whatever the size.
    if (this.#first < 1_000 && this.#first < this.#events.length) return
    this.#events = this.#events.slice(this.#first)
    this.#first = 0
  }

  /** Numbers may have holes: found by halving. */
  #indexAfter(sequence: number): number {
    let [low, high] = [this.#first, this.#events.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle]?.sequence ?? 0) <= sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}
