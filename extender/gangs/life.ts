import type { Clock } from '../clock.ts'
import type { Binder, Nominator, Recorder, Terminator } from './ports.ts'

/** What the gangs do to the world. */
export type WorldPorts = {
  readonly binder: Binder
  readonly nominator: Nominator
  readonly terminator: Terminator
  readonly recorder: Recorder
}

export type LifeParts = {
  readonly clock: Clock
  /** Told what a timer or a port of this life has thrown, and what the life itself reports. */
  readonly surprised: (error: unknown, life: Life) => void
}

const over = 'muster has begun anew'

/**
 * One life of the logic, as a process would be: once it is over, none of its timers fires and nothing more of it is
 * written. What is under way then can be waited for, so that the next life reads what became of it.
 */
export class Life {
  readonly clock: Clock
  readonly #parts: LifeParts
  readonly #timers = new Set<() => void>()
  readonly #underWay = new Set<Promise<unknown>>()
  #over = false

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

  /** Something of this life did what nobody expected. */
  surprised(error: unknown): void {
    this.#parts.surprised(error, this)
  }

  end(): void {
    this.#over = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  /** Resolves once no write of this life is on its way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  /** The same ports, for as long as the life lasts. */
  ports({ binder, nominator, terminator, recorder }: WorldPorts): WorldPorts {
    const failed = { outcome: 'failed' as const, message: over }
    const late = { outcome: 'late' as const, message: over }
    return {
      binder: { bind: (binding, limits) => this.#write(() => binder.bind(binding, limits), late) },
      nominator: {
        nominate: (pod, node) => this.#write(() => nominator.nominate(pod, node), failed),
        ungate: (pod, gate) => this.#write(() => nominator.ungate(pod, gate), failed)
      },
      terminator: {
        evict: pod => this.#write(() => terminator.evict(pod), failed),
        mark: (pod, key, value) => this.#write(() => terminator.mark(pod, key, value), failed),
        fail: (pod, reason, message) => this.#write(() => terminator.fail(pod, reason, message), failed)
      },
      recorder: { record: notice => (this.#over ? undefined : recorder.record(notice)) }
    }
  }

  /** Ports answer and never throw: one that does is as broken as the logic, which hears of it as well. */
  async #write<T>(write: () => Promise<T>, unwritten: T): Promise<T> {
    if (this.#over) return unwritten
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
