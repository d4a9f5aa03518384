import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../extender/clock.ts'

type Timer = { readonly at: number; readonly task: () => void }

/** Time that moves only when the test says so; sockets stay real. */
export class ManualClock implements Clock {
  #now = 1_000
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  wall(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5, 678) + this.#now
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.#now + ms, task }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Timers that nobody cancelled. */
  get pending(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = [...this.#timers].filter(timer => timer.at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.task()
    }
    this.#now = end
  }

  /** Moves on in steps, with room for the sockets between, until the condition holds. Answers the time that passed. */
  async until(condition: () => boolean, step = 50): Promise<number> {
    const began = this.#now
    for (let turn = 0; !condition(); turn += 1) {
      if (turn > 10_000) throw new Error(`never came true: ${condition.toString()}`)
      await sleep(1)
      if (!condition()) this.advance(step)
    }
    return this.#now - began
  }

  /** Waits for something that the sockets do by themselves. */
  async settled(condition: () => boolean): Promise<void> {
    await this.until(condition, 0)
  }
}
