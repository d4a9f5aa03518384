/** Runs writes with a bound on how many are under way at once, over all gangs, first come first served. */
export class WriteQueue {
  readonly #concurrency: number
  readonly #waiting: (() => Promise<void>)[] = []
  #running = 0

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** `write` must not throw. */
  push(write: () => Promise<void>): void {
    this.#waiting.push(write)
    this.#pump()
  }

  #pump(): void {
    while (this.#running < this.#concurrency) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#running += 1
      void next().finally(() => {
        this.#running -= 1
        this.#pump()
      })
    }
  }
}
