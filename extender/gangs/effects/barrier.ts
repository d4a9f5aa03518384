import type { Clock } from '../../clock.ts'
import type { GangMetrics } from '../metrics.ts'

/** A member that kube-scheduler sent to be bound. */
export type Arrival = {
  readonly uid: string
  readonly gang: string
  /** Monotonic milliseconds after which the member no longer waits. */
  readonly deadline: number
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
}

/** Undefined lets the member go on to its binding; a text is why it may not. */
export type Verdict = string | undefined

type Waiter = { readonly arrivedAt: number; readonly verdict: Promise<Verdict>; settle(verdict: Verdict): void }

/** Where members wait for the rest of their quorum. Knows who waits, not what a quorum is. */
export class Barrier {
  readonly #clock: Clock
  readonly #metrics: GangMetrics
  readonly #gangs = new Map<string, Map<string, Waiter>>()

  constructor(clock: Clock, metrics: GangMetrics) {
    this.#clock = clock
    this.#metrics = metrics
  }

  /** The members of this gang that wait. */
  waiting(gang: string): ReadonlySet<string> {
    return new Set(this.#gangs.get(gang)?.keys())
  }

  /** Resolves once the gang is opened or failed, at the deadline, or when the client goes. A second call joins the first. */
  arrive(arrival: Arrival): Promise<Verdict> {
    const waiters = this.#gangs.get(arrival.gang) ?? new Map<string, Waiter>()
    this.#gangs.set(arrival.gang, waiters)
    const known = waiters.get(arrival.uid)
    if (known) return known.verdict
    const waiter = this.#waiter(arrival)
    waiters.set(arrival.uid, waiter)
    return waiter.verdict
  }

  /** The quorum is there: all go on. */
  open(gang: string): void {
    this.#metrics.barriers.inc({ outcome: 'opened' })
    this.#settleAll(gang, undefined)
  }

  /** All of them are refused, for this reason. */
  fail(gang: string, reason: string): void {
    if (!this.#gangs.has(gang)) return
    this.#metrics.barriers.inc({ outcome: 'failed' })
    this.#settleAll(gang, reason)
  }

  /** One member no longer waits. */
  leave(gang: string, uid: string, reason: string): void {
    this.#gangs.get(gang)?.get(uid)?.settle(reason)
  }

  #settleAll(gang: string, verdict: Verdict): void {
    for (const waiter of [...(this.#gangs.get(gang)?.values() ?? [])]) waiter.settle(verdict)
  }

  #waiter(arrival: Arrival): Waiter {
    const { promise, resolve } = Promise.withResolvers<Verdict>()
    const arrivedAt = this.#clock.now()
    const settle = (verdict: Verdict): void => {
      if (this.#remove(arrival, waiter)) {
        stopTimer()
        arrival.signal.removeEventListener('abort', onAbort)
        this.#metrics.barrierWait.observe((this.#clock.now() - arrivedAt) / 1000)
        resolve(verdict)
      }
    }
    const onAbort = (): void => settle('kube-scheduler gave up waiting for this binding')
    const stopTimer = this.#clock.after(Math.max(0, arrival.deadline - arrivedAt), () => {
      this.#metrics.barriers.inc({ outcome: 'timeout' })
      settle('the rest of the gang did not arrive in time')
    })
    const waiter = { arrivedAt, verdict: promise, settle }
    arrival.signal.addEventListener('abort', onAbort, { once: true })
    if (arrival.signal.aborted) queueMicrotask(onAbort)
    return waiter
  }

  #remove({ gang, uid }: Arrival, waiter: Waiter): boolean {
    const waiters = this.#gangs.get(gang)
    if (waiters?.get(uid) !== waiter) return false
    waiters.delete(uid)
    if (waiters.size === 0) this.#gangs.delete(gang)
    return true
  }
}
