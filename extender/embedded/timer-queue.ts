import type { Clock } from '../clock.ts'

type Due = { readonly key: string; readonly at: number }

/** setTimeout overflows past 24.8 days; a longer wait is waited for in pieces. */
const longestTimer = 2 ** 31 - 1

/** Any number of deadlines, each with a key, over one timer: 20,000 pods do not need 20,000 timers. */
export class TimerQueue {
  readonly #clock: Clock
  readonly #fire: (key: string) => void
  readonly #heap: Due[] = []
  readonly #at = new Map<string, number>()
  #cancel: (() => void) | undefined
  #armedFor = Infinity

  constructor(clock: Clock, fire: (key: string) => void) {
    this.#clock = clock
    this.#fire = fire
  }

  /** How many keys have a deadline. */
  get size(): number {
    return this.#at.size
  }

  /** Fires the key after `ms`; of two deadlines of a key the earlier stays. */
  set(key: string, ms: number): void {
    const at = this.#clock.now() + ms
    if ((this.#at.get(key) ?? Infinity) <= at) return
    this.#at.set(key, at)
    this.#push({ key, at })
    this.#arm()
  }

  /** The key's deadline is off. */
  delete(key: string): void {
    this.#at.delete(key)
  }

  /** All deadlines are off. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#armedFor = Infinity
    this.#at.clear()
    this.#heap.length = 0
  }

  #arm(): void {
    const next = this.#heap[0]
    if (next === undefined || next.at >= this.#armedFor) return
    this.#cancel?.()
    this.#armedFor = next.at
    const wait = Math.min(longestTimer, Math.max(0, next.at - this.#clock.now()))
    this.#cancel = this.#clock.after(wait, () => this.#ring())
  }

  #ring(): void {
    this.#cancel = undefined
    this.#armedFor = Infinity
    // A timer may ring a fraction of a millisecond early.
    const now = this.#clock.now() + 1
    for (let next = this.#heap[0]; next !== undefined && next.at <= now; next = this.#heap[0]) {
      this.#pop()
      if (this.#at.get(next.key) !== next.at) continue
      this.#at.delete(next.key)
      this.#fire(next.key)
    }
    this.#arm()
  }

  #push(due: Due): void {
    const heap = this.#heap
    let index = heap.push(due) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || above.at <= due.at) break
      heap[index] = above
      index = parent
    }
    heap[index] = due
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const child = this.#smallerChild(index)
      const below = heap[child]
      if (below === undefined || below.at >= last.at) break
      heap[index] = below
      index = child
    }
    heap[index] = last
  }

  #smallerChild(index: number): number {
    const left = 2 * index + 1
    const [one, other] = [this.#heap[left], this.#heap[left + 1]]
    return one !== undefined && other !== undefined && other.at < one.at ? left + 1 : left
  }
}
