import type { Clock } from '../../extender/clock.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'

/**
 * One operating-system process: its clock, and what reaches it from outside. While it is stopped (SIGSTOP, a stalled
 * event loop, a frozen machine) nothing of it runs; then come its timers and all that has arrived, each in order.
 */
export class Process {
  readonly #clock: VirtualClock
  #alive = true
  #stoppedUntil: number | undefined
  readonly #timers: (() => void)[] = []
  readonly #arrived: (() => void)[] = []
  readonly clock: Clock

  /** `skew`: by how much the wall clock of its machine is wrong, in milliseconds. */
  constructor(clock: VirtualClock, skew: () => number = () => 0) {
    this.#clock = clock
    this.clock = {
      now: () => clock.now(),
      wall: () => clock.wall() + skew(),
      after: (ms, task) => this.#after(ms, task)
    }
  }

  get isAlive(): boolean {
    return this.#alive
  }

  get isStopped(): boolean {
    return this.#stoppedUntil !== undefined
  }

  /** Something from outside: at once, or when it runs again. What is dead hears nothing. */
  hears(task: () => void): void {
    this.#run(task, this.#arrived)
  }

  /** Nothing of it runs for so long; a longer stop goes on. Then what has `arrived` may come before its timers. */
  stop(ms: number, arrivedFirst = false): void {
    const until = this.#clock.now() + ms
    if (!this.#alive || until <= (this.#stoppedUntil ?? 0)) return
    this.#stoppedUntil = until
    this.#clock.after(ms, () => {
      if (this.#stoppedUntil === until) this.#goOn(arrivedFirst)
    })
  }

  end(): void {
    this.#alive = false
  }

  #after(ms: number, task: () => void): () => void {
    let isCancelled = false
    const stop = this.#clock.after(ms, () => this.#run(() => !isCancelled && task(), this.#timers))
    return () => {
      isCancelled = true
      stop()
    }
  }

  #run(task: () => void, later: (() => void)[]): void {
    if (!this.#alive) return
    if (this.isStopped) later.push(task)
    else task()
  }

  #goOn(arrivedFirst: boolean): void {
    this.#stoppedUntil = undefined
    for (const waiting of arrivedFirst ? [this.#arrived, this.#timers] : [this.#timers, this.#arrived])
      for (const task of waiting.splice(0)) this.#clock.after(0, () => this.#run(task, waiting))
  }
}
