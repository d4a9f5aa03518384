import type { Clock } from '../../clock.ts'
import { Heap } from './heap.ts'
import { type Entry, isBefore } from './entry.ts'

/** Upstream rounds backoffs down to whole seconds, so that pods of one second go by priority. */
const windowMs = 1_000

export type BackoffParts = {
  readonly clock: Clock
  readonly initialMs: number
  readonly maxMs: number
  /** Gets those whose time is up. */
  readonly onOver: (entries: readonly Entry[]) => void
}

/** Pods that wait before they may try again: refused ones, and those where something broke. */
export class BackoffQueue {
  readonly #parts: BackoffParts
  readonly #refused = new Heap<Entry>((a, b) => {
    const [one, other] = [this.#end(a), this.#end(b)]
    return one === other ? isBefore(a, b) : one < other
  })
  readonly #broken = new Heap<Entry>((a, b) => this.#end(a) < this.#end(b))
  #cancel: (() => void) | undefined

  constructor(parts: BackoffParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#refused.size + this.#broken.size
  }

  get(uid: string): Entry | undefined {
    return this.#refused.get(uid) ?? this.#broken.get(uid)
  }

  /** Refused pods may be popped early, broken ones not. */
  add(entry: Entry): void {
    const queue = entry.plugins.size > 0 ? this.#refused : this.#broken
    queue.push(entry)
    this.#arm()
  }

  delete(uid: string): boolean {
    return this.#refused.delete(uid) || this.#broken.delete(uid)
  }

  /** The next refused pod, although its time is not up: there is nothing else to do. */
  popEarly(): Entry | undefined {
    return this.#refused.pop()
  }

  /** Whether the pod must still wait; within its last second it does. */
  isWaiting(entry: Entry): boolean {
    return this.#end(entry) >= windowStart(this.#parts.clock.now())
  }

  stop(): void {
    this.#cancel?.()
  }

  #end(entry: Entry): number {
    const count = entry.errors > 0 ? entry.errors : entry.refusals
    if (count === 0 || this.#parts.maxMs === 0) return -1
    const duration = Math.min(this.#parts.initialMs * 2 ** (count - 1), this.#parts.maxMs)
    return windowStart(entry.timestamp + duration)
  }

  #arm(): void {
    if (this.#cancel || this.size === 0) return
    const now = this.#parts.clock.now()
    this.#cancel = this.#parts.clock.after(windowStart(now) + windowMs - now, () => {
      this.#cancel = undefined
      const over = [...this.#over(this.#refused), ...this.#over(this.#broken)]
      if (over.length > 0) this.#parts.onOver(over)
      this.#arm()
    })
  }

  #over(queue: Heap<Entry>): Entry[] {
    const over: Entry[] = []
    for (let first = queue.peek(); first && !this.isWaiting(first); first = queue.peek()) {
      queue.pop()
      over.push(first)
    }
    return over
  }
}

const windowStart = (ms: number): number => Math.floor(ms / windowMs) * windowMs
