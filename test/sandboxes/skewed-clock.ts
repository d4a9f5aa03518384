import { type Clock, systemClock } from '../../extender/clock.ts'

type Timer = { readonly at: number; readonly task: () => void; readonly cancel: () => void }

/** Real time that a test may push forward: timers that are due by then run at once. */
export class SkewedClock implements Clock {
  #skew = 0
  readonly #timers = new Set<Timer>()

  now(): number {
    return systemClock.now() + this.#skew
  }

  wall(): number {
    return systemClock.wall() + this.#skew
  }

  after(ms: number, task: () => void): () => void {
    const run = (): void => {
      this.#timers.delete(timer)
      task()
    }
    const timer: Timer = { at: this.now() + ms, task: run, cancel: systemClock.after(ms, run) }
    this.#timers.add(timer)
    return () => {
      timer.cancel()
      this.#timers.delete(timer)
    }
  }

  advance(ms: number): void {
    this.#skew += ms
    const due = [...this.#timers].filter(({ at }) => at <= this.now()).toSorted((a, b) => a.at - b.at)
    for (const timer of due) {
      if (!this.#timers.has(timer)) continue
      timer.cancel()
      timer.task()
    }
  }
}
