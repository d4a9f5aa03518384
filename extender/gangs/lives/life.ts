import type { Clock } from '../../clock.ts'
import type { Gangs } from '../gangs.ts'
import type { BindLimits, WorldPorts } from '../ports.ts'
import { epochOf, type Tenure } from './tenure.ts'

/** One condition of readiness. */
export type Condition = { readonly name: string; readonly problem: () => string | undefined }

/** The logic of one life and the picture that it decides on. */
export type Logic = {
  readonly gangs: Gangs
  /** The same names in every life. */
  readonly checks: readonly Condition[]
  /** Lists everything and keeps it up to date; resolves once it is listed. */
  read(): Promise<void>
  /** Nobody is told of changes any more; resolves once nothing of it runs. */
  stop(): Promise<void>
}

export type LifeParts = {
  readonly clock: Clock
  readonly tenure: Tenure
  /** Told what a timer or a port of this life has thrown, and what the life itself reports. */
  readonly surprised: (error: unknown, life: Life) => void
}

/** Why something is not written. */
const unwritten = 'this muster does not lead, or has begun anew'

/**
 * One life of the logic, as a process would be: once it is over, none of its timers fires and nothing more of it is
 * written; nor before it leads, nor once it does no longer. What is under way then can be waited for, so that the next
 * life reads what became of it.
 */
export class Life {
  readonly clock: Clock
  readonly #parts: LifeParts
  readonly #timers = new Set<() => void>()
  readonly #underWay = new Set<Promise<unknown>>()
  #over = false
  /** What those hear whom it does not serve any more. */
  farewell = ''
  /** The term in which it leads. */
  #term: number | undefined
  /** Of this life; 0 before it leads. Later lives have greater ones. */
  epoch = 0

  constructor(parts: LifeParts) {
    this.#parts = parts
    const { clock } = parts
    this.clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (ms, task) => this.#after(ms, task)
    }
  }

  get isOver(): boolean {
    return this.#over
  }

  /** Whether it may decide and write: it took over, and its term still lasts. Asked anew each time, since time ends terms. */
  get leads(): boolean {
    return !this.#over && this.#term !== undefined && this.#parts.tenure.term() === this.#term
  }

  /** Whether it has ever led. */
  get tookOver(): boolean {
    return this.#term !== undefined
  }

  /** From now on it leads, if this muster does; answers whether. */
  takeOver(): boolean {
    const { tenure, clock } = this.#parts
    this.#term = tenure.term()
    if (this.#term !== undefined) this.epoch = epochOf(this.#term, clock.wall())
    return this.leads
  }

  /** Something of this life did what nobody expected. */
  surprised(error: unknown): void {
    this.#parts.surprised(error, this)
  }

  end(farewell: string): void {
    this.#over = true
    this.farewell = farewell
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  /** Resolves once no write of this life is on its way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  /** The same ports, for as long as the life leads. */
  ports({ binder, nominator, terminator, recorder }: WorldPorts): WorldPorts {
    const failed = { outcome: 'failed' as const, message: unwritten }
    const late = { outcome: 'late' as const, message: unwritten }
    return {
      binder: { bind: (binding, limits) => this.#write(() => binder.bind(binding, this.#inTerm(limits)), late) },
      nominator: {
        nominate: (pod, node) => this.#write(() => nominator.nominate(pod, node), failed),
        ungate: (pod, gate) => this.#write(() => nominator.ungate(pod, gate), failed),
        pin: (pod, gate, node) => this.#write(() => nominator.pin(pod, gate, node), failed)
      },
      terminator: {
        evict: pod => this.#write(() => terminator.evict(pod), failed),
        mark: (pod, key, value) => this.#write(() => terminator.mark(pod, key, value), failed),
        fail: (pod, reason, message) => this.#write(() => terminator.fail(pod, reason, message), failed)
      },
      recorder: { record: notice => (this.leads ? recorder.record(notice) : undefined) }
    }
  }

  /** The end of the term is a deadline as well, and moves on with each renewal. */
  #inTerm(limits: BindLimits): BindLimits {
    const { tenure } = this.#parts
    return {
      ...limits,
      get deadline() {
        return Math.min(limits.deadline, tenure.until())
      }
    }
  }

  /** Ports answer and never throw: one that does is as broken as the logic, which hears of it as well. */
  async #write<T>(write: () => Promise<T>, instead: T): Promise<T> {
    if (!this.leads) return instead
    const written = (async () => write())()
    this.#underWay.add(written)
    try {
      return await written
    } catch (error) {
      this.surprised(error)
      throw error
    } finally {
      this.#underWay.delete(written)
    }
  }

  #after(ms: number, task: () => void): () => void {
    if (this.#over) return () => {}
    const stop = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel)
      try {
        task()
      } catch (error) {
        this.surprised(error)
      }
    })
    const cancel = (): void => {
      this.#timers.delete(cancel)
      stop()
    }
    this.#timers.add(cancel)
    return cancel
  }
}
