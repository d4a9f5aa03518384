import type { Clock, Random } from '../clock.ts'
import { TimerQueue } from './timer-queue.ts'

/** What a queue needs; the limits have upstream's values. */
export type WorkQueueOptions = {
  readonly clock: Clock
  readonly random: Random
  /** Does the work of a key; what it throws is tried again with backoff. */
  readonly work: (key: string) => void
  /** Told of what work threw. */
  readonly failed: (key: string, error: unknown, attempt: number) => void
  /** First pause after a failure, doubled up to `longestMs`. */
  readonly shortestMs?: number
  readonly longestMs?: number
  /** How many keys are worked on before others get a turn. */
  readonly batch?: number
}

/**
 * Keys that need a look, each at most once: adding a key that waits already changes nothing. Works in small batches
 * with pauses in between, so that thousands of keys do not stop the process.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #ready = new Set<string>()
  readonly #later: TimerQueue
  readonly #attempts = new Map<string, number>()
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(options: WorkQueueOptions) {
    this.#options = options
    this.#later = new TimerQueue(options.clock, key => this.add(key))
  }

  /** How many keys wait to be worked on now. */
  get size(): number {
    return this.#ready.size
  }

  /** A look is due as soon as possible. */
  add(key: string): void {
    if (this.#stopped) return
    this.#ready.add(key)
    this.#cancel ??= this.#options.clock.after(0, () => this.#turn())
  }

  /** A look is due after some time; an earlier one that is planned already stays. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return
    if (ms <= 0) this.add(key)
    else this.#later.set(key, ms)
  }

  /** Forgets everything; what is being worked on is the last. */
  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#later.stop()
    this.#ready.clear()
  }

  #turn(): void {
    this.#cancel = undefined
    const { batch = 256 } = this.#options
    let left = batch
    for (const key of this.#ready) {
      if (left-- === 0) break
      this.#ready.delete(key)
      this.#work(key)
    }
    if (this.#ready.size > 0 && !this.#stopped) this.#cancel ??= this.#options.clock.after(0, () => this.#turn())
  }

  #work(key: string): void {
    const { work, failed, random, shortestMs = 5, longestMs = 60_000 } = this.#options
    try {
      work(key)
      this.#attempts.delete(key)
    } catch (error) {
      const attempt = (this.#attempts.get(key) ?? 0) + 1
      this.#attempts.set(key, attempt)
      failed(key, error, attempt)
      const pause = Math.min(longestMs, shortestMs * 2 ** Math.min(attempt - 1, 30))
      this.addAfter(key, pause * (0.9 + 0.2 * random()))
    }
  }
}
