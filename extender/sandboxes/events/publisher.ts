import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { retryAfterMs } from '../../backoff.ts'
import type { Clock, Random } from '../../clock.ts'
import { type Event, EventsService } from '../proto/generated/sandbox/v1/events_pb.js'

export type PublisherOptions = {
  /** The way to the events service, such as `createConnectTransport` of connect-node gives. */
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
}

type Waiting = {
  readonly event: Event
  readonly deadline: number
  readonly settled: PromiseWithResolvers<void>
}

/** The first wait is up to 100 ms, each may be twice the one before, none is over 30 s. */
const [baseMs, capMs] = [100, 30_000]
const lifetimeMs = 24 * 3_600_000
const patienceMs = 10_000
/** So many events are sent at once, once the service has answered. */
const window = 8
const mostWaiting = 10_000

/**
 * Hands events over to the events service. While that does not answer, one event at a time asks whether it is back; the
 * others wait.
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #client
  readonly #waiting = new Map<string, Waiting>()
  readonly #underWay = new Set<string>()
  readonly #closing = new AbortController()
  /** No event that waits is given back before. */
  #expiry = Number.POSITIVE_INFINITY
  #failures = 0
  #pausedUntil = 0
  #cancelTimer = (): void => {}

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#client = createClient(EventsService, options.transport)
  }

  /** How many events are not handed over yet. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Resolves once the event is durable there. Rejects where the service refuses it as wrong, where too many wait, after a
   * day, and when closed; whoever keeps the record of the end may try again. The same event shares its promise.
   */
  publish(event: Event): Promise<void> {
    const key = `${event.source} ${event.id}`
    const same = this.#waiting.get(key)
    if (same) return same.settled.promise
    if (this.#closing.signal.aborted) return Promise.reject(new Error('the publisher of events is closed'))
    if (this.#waiting.size >= mostWaiting)
      return Promise.reject(new Error(`${mostWaiting} events wait for the events service already`))
    const settled = Promise.withResolvers<void>()
    const deadline = this.#options.clock.now() + lifetimeMs
    this.#expiry = Math.min(this.#expiry, deadline)
    this.#waiting.set(key, { event, deadline, settled })
    this.#pump()
    return settled.promise
  }

  /** Gives up what waits. */
  close(): void {
    this.#closing.abort()
    this.#cancelTimer()
    for (const key of this.#waiting.keys()) this.#end(key, new Error('the publisher of events is closed'))
  }

  #pump(): void {
    this.#cancelTimer()
    const now = this.#options.clock.now()
    this.#expire(now)
    if (this.#closing.signal.aborted || this.#waiting.size === 0) return
    if (now < this.#pausedUntil) return this.#wake(this.#pausedUntil - now)
    const most = this.#failures > 0 ? 1 : window
    for (const [key, { event }] of this.#waiting) {
      if (this.#underWay.size >= most) return
      if (this.#underWay.has(key)) continue
      this.#underWay.add(key)
      void this.#send(key, event)
    }
  }

  /** At the end of the pause, or when an event has waited for too long. */
  #wake(pause: number): void {
    const { clock } = this.#options
    this.#cancelTimer = clock.after(Math.min(pause, this.#expiry - clock.now()), () => this.#pump())
  }

  async #send(key: string, event: Event): Promise<void> {
    const error = await this.#attempt(event)
    this.#underWay.delete(key)
    if (!error) {
      this.#failures = 0
      this.#pausedUntil = 0
      this.#end(key)
    } else if (error.code === Code.InvalidArgument) this.#end(key, error)
    else this.#pause(error, key)
    this.#pump()
  }

  async #attempt(event: Event): Promise<ConnectError | undefined> {
    const late = new AbortController()
    const cancel = this.#options.clock.after(patienceMs, () => late.abort())
    try {
      await this.#client.publish({ event }, { signal: AbortSignal.any([late.signal, this.#closing.signal]) })
      return undefined
    } catch (error) {
      return ConnectError.from(error)
    } finally {
      cancel()
    }
  }

  /** Full jitter, so that many publishers do not come back in step; never before the service wants it. */
  #pause({ metadata }: ConnectError, key: string): void {
    const { clock, random } = this.#options
    // Behind the others: one that fails by itself must not hold them up.
    const waiting = this.#waiting.get(key)
    if (waiting && this.#waiting.delete(key)) this.#waiting.set(key, waiting)
    const wait = random() * Math.min(capMs, baseMs * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 30)
    this.#pausedUntil = Math.max(
      this.#pausedUntil,
      clock.now() + Math.max(wait, retryAfterMs(metadata.get('retry-after')) ?? 0)
    )
  }

  #expire(now: number): void {
    if (now < this.#expiry) return
    this.#expiry = Number.POSITIVE_INFINITY
    for (const [key, { deadline }] of this.#waiting) {
      if (deadline > now) this.#expiry = Math.min(this.#expiry, deadline)
      else this.#end(key, new Error('the events service did not take the event in 24h'))
    }
  }

  #end(key: string, error?: Error): void {
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    if (error) waiting?.settled.reject(error)
    else waiting?.settled.resolve()
  }
}
