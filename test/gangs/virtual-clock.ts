import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../extender/clock.ts'

type Timer = { readonly at: number; readonly task: () => void }

/** Time that moves only when it is told to: equal runs see equal times, and equal orders at equal times. */
export class VirtualClock implements Clock {
  #now = 1_000
  readonly #timers: Timer[] = []
  /** Called after each step, once everything that it made possible has happened. */
  onStep: () => void = () => {}
  /** How much time passes between two looks at the clock, in milliseconds; a real one never stands still. */
  creep = 0
  /** How far the wall clock was set forth or back, in milliseconds. */
  skew = 0

  now(): number {
    this.#now += this.creep
    return this.#now
  }

  wall(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5) + this.#now + this.skew
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.#now + ms, task }
    this.#timers.splice(this.#indexAfter(timer.at), 0, timer)
    return () => this.#cancel(timer)
  }

  /** By halving: where a timer of that time comes after all that are due by then. */
  #indexAfter(at: number): number {
    let [low, high] = [0, this.#timers.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#timers[middle]?.at ?? 0) <= at) low = middle + 1
      else high = middle
    }
    return low
  }

  #cancel(timer: Timer): void {
    const index = this.#timers.indexOf(timer)
    if (index >= 0) this.#timers.splice(index, 1)
  }

  /** Timers that nobody cancelled. */
  get pending(): number {
    return this.#timers.length
  }

  /** A clock whose timers never fire again once it is stopped, as those of a process that ended. */
  life(): { readonly clock: Clock; stop(): void } {
    let alive = true
    const clock: Clock = {
      now: () => this.now(),
      wall: () => this.wall(),
      after: (ms, task) => this.after(ms, () => alive && task())
    }
    return { clock, stop: () => (alive = false) }
  }

  /** Lets so much time pass, timer by timer; promises that a timer settles are followed before the next one fires. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await turn()
    for (;;) {
      const next = this.#timers[0]
      if (!next || next.at > end) break
      this.#timers.shift()
      this.#now = Math.max(this.#now, next.at)
      next.task()
      await turn()
      this.onStep()
    }
    this.#now = Math.max(this.#now, end)
  }
}
