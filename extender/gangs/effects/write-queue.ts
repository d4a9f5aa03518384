import type { OnViolation } from '../ports.ts'

/** Runs writes with a bound on how many are under way at once, over all gangs, first come first served. */
export class WriteQueue {
  readonly #concurrency: number
  readonly #onViolation: OnViolation
  readonly #waiting: (() => Promise<void>)[] = []
  #running = 0

  constructor(concurrency: number, onViolation: OnViolation) {
    this.#concurrency = concurrency
    this.#onViolation = onViolation
  }

  /** Never waits. What `write` throws nobody expected. */
  push(write: () => Promise<void>): void {
    this.#waiting.push(write)
    this.#pump()
  }

  #pump(): void {
    while (this.#running < this.#concurrency) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#running += 1
      void next()
        .catch(this.#onViolation)
        .finally(() => {
          this.#running -= 1
          this.#pump()
        })
    }
  }
}
