import { Code } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import { refusal } from '../refusals.ts'
import type { EventLog, Recorded } from './event-log.ts'
import type { EventMetrics } from './metrics.ts'

/** What a live stream tells. */
export type Told =
  | { readonly kind: 'event'; readonly recorded: Recorded }
  /** Events are missing here; `next` is the first that follows. */
  | { readonly kind: 'gap'; readonly next: number }
  | { readonly kind: 'heartbeat' }

export const heartbeatMs = 15_000
const mostReaders = 1_000
/** Taken from the log at once; all that is ever held for one reader. */
const batch = 32

type Parts = { readonly log: EventLog; readonly clock: Clock; readonly metrics: EventMetrics }

/** The live streams. Each is a place in the log that moves as fast as its reader takes what it is told. */
export class Readers {
  readonly #parts: Parts
  #open = 0

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Throws where so many follow that one more must not. */
  requireRoom(): void {
    if (this.#open < mostReaders) return
    const text = `${mostReaders} readers follow already; ask again later, or poll GET /v1/events`
    throw refusal(Code.ResourceExhausted, 'too_many_readers', text, { retryAfterMs: 5_000 })
  }

  /**
   * What came after a place (0: everything that is remembered), then what comes, until the signal. The first thing told
   * tells the reader that it is connected. Whoever is so slow that the log has forgotten its place gets a gap.
   */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<Told, void, undefined> {
    this.requireRoom()
    this.#count(1)
    try {
      yield { kind: 'heartbeat' }
      yield* this.#told(after === 0 ? this.#parts.log.start : after, signal)
    } finally {
      this.#count(-1)
    }
  }

  async *#told(after: number, signal: AbortSignal): AsyncGenerator<Told, void, undefined> {
    const { log, clock, metrics } = this.#parts
    let place = after
    while (!signal.aborted) {
      const { events, gap } = log.since(place, batch)
      if (gap !== undefined) {
        metrics.gaps.inc()
        yield { kind: 'gap', next: gap }
        place = gap - 1
      }
      for (const recorded of events) {
        yield { kind: 'event', recorded }
        place = recorded.sequence
      }
      if (place < log.end) continue
      if (!(await log.next(clock, heartbeatMs, signal)) && !signal.aborted) yield { kind: 'heartbeat' }
    }
  }

  #count(change: number): void {
    this.#open += change
    this.#parts.metrics.readers.set(this.#open)
  }
}
