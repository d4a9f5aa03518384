import type { Clock, Random } from '../../../clock.ts'
import { reasonOf } from '../../../errors.ts'
import type { Log } from '../log.ts'
import type { EventMetrics } from '../metrics.ts'
import type { Delivery, EventStore } from '../store.ts'
import { type Answer, connections, type Post } from './post.ts'
import { Queue } from './queue.ts'
import { askedWait, spareFor, waitAfter } from './schedule.ts'
import { signedHeaders } from './signature.ts'

/** Where events are sent, and with what they are signed: the newest key first. */
export type Webhook = { readonly url: string; readonly keys: readonly Buffer[] }

export type ReceiverParts = {
  readonly webhook: Webhook
  readonly post: Post
  readonly store: EventStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: EventMetrics
}

const queueBounds = { live: 1_000, dead: 1_000 }
/** No answer in this time is a failure. */
const patienceMs = 15_000
/** Under load, as standard-webhooks reads them: the whole receiver is spared, not one delivery alone. */
const overloaded = new Set([429, 502, 504])

/** One webhook: delivers to it what is due, in its turn, and gives up what cannot be delivered. */
export class Receiver {
  readonly #parts: ReceiverParts
  readonly #queue = new Queue(queueBounds)
  readonly #closing = new AbortController()
  /** Makes monotonic time into times that outlast the process; wall clocks are set now and then. */
  readonly #epoch: number
  /** For the log: paths of webhooks are often secret. */
  readonly #host: string
  #disabled = false
  /** Until then nothing is sent: it said that it has too much to do. */
  #sparedUntil = 0
  /** So many times in a row. */
  #overloads = 0
  #cancelTimer = (): void => {}

  constructor(parts: ReceiverParts) {
    this.#parts = parts
    this.#epoch = parts.clock.wall() - parts.clock.now()
    this.#host = new URL(parts.webhook.url).host
  }

  get url(): string {
    return this.#parts.webhook.url
  }

  get queued(): number {
    return this.#queue.live
  }

  get deadCount(): number {
    return this.#queue.deadCount
  }

  get deadLetters(): readonly Delivery[] {
    return this.#queue.dead
  }

  /** Takes over what an earlier process left. */
  restore(deliveries: readonly Delivery[], disabled: boolean): void {
    this.#disabled = disabled
    for (const delivery of deliveries) {
      if (delivery.dead) this.#bury(delivery, delivery.error)
      else this.#admit(delivery)
    }
    this.#pump()
  }

  /** A new event, which the store has recorded for this receiver. */
  offer(sequence: number, id: string, body: string): void {
    const now = this.#now()
    this.#admit({ ...{ sequence, id, body }, attempts: 0, since: Math.round(now), due: now, error: '', dead: false })
    this.#pump()
  }

  /** Tries its dead letters anew, from the first attempt on; one that had answered 410 gets events again. */
  replay(): number {
    const letters = this.#queue.dead.slice(0, Math.max(0, queueBounds.live - this.#queue.live))
    if (this.#disabled) this.#stored(store => store.disable(this.url, false))
    this.#disabled = false
    const due = this.#now()
    for (const letter of letters) {
      const delivery = { ...letter, attempts: 0, due, dead: false }
      this.#queue.put(delivery)
      this.#stored(store => store.keep(this.url, delivery))
    }
    this.#pump()
    return letters.length
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#cancelTimer()
    await this.#parts.post.close()
  }

  #now(): number {
    return this.#parts.clock.now() + this.#epoch
  }

  #admit(delivery: Delivery): void {
    if (this.#disabled) this.#bury(delivery, 'the receiver has answered 410 and is disabled; a replay enables it')
    else if (this.#queue.isFull) this.#bury(delivery, `${queueBounds.live} deliveries wait for this receiver already`)
    else this.#queue.put(delivery)
  }

  /** Sends what is due, and comes back when the next one is. */
  #pump(): void {
    const { clock } = this.#parts
    this.#cancelTimer()
    if (this.#closing.signal.aborted) return
    while (this.#queue.underWay < connections) {
      const next = this.#queue.next()
      if (!next) return
      const wait = Math.max(next.due, this.#sparedUntil) - this.#now()
      if (wait > 0) {
        this.#cancelTimer = clock.after(wait, () => this.#pump())
        return
      }
      this.#queue.take(next)
      void this.#deliver(next)
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const outcome = await this.#attempt(delivery)
    if (this.#closing.signal.aborted) return
    this.#settle({ ...delivery, attempts: delivery.attempts + 1 }, outcome)
    this.#pump()
  }

  async #attempt({ id, body }: Delivery): Promise<Answer | string> {
    const { webhook, post, clock } = this.#parts
    const late = new AbortController()
    const cancel = clock.after(patienceMs, () => late.abort())
    const signature = signedHeaders(webhook.keys, id, Math.floor(clock.wall() / 1000), body)
    const headers = { 'content-type': 'application/cloudevents+json', 'user-agent': 'muster', ...signature }
    try {
      return await post.send(headers, body, AbortSignal.any([late.signal, this.#closing.signal]))
    } catch (error) {
      return late.signal.aborted ? `no answer in ${patienceMs / 1000}s` : failureOf(error)
    } finally {
      cancel()
    }
  }

  #settle(delivery: Delivery, outcome: Answer | string): void {
    const { metrics } = this.#parts
    const status = typeof outcome === 'string' ? 0 : outcome.status
    if (status >= 200 && status < 300) {
      metrics.attempts.inc({ result: 'delivered' })
      this.#overloads = 0
      this.#queue.drop(delivery)
      this.#stored(store => store.forget(this.url, delivery.sequence))
    } else if (status === 410) this.#disable(delivery)
    else this.#retry(delivery, outcome)
  }

  #disable(delivery: Delivery): void {
    const { log, metrics } = this.#parts
    metrics.attempts.inc({ result: 'gone' })
    if (!this.#disabled) {
      log.warn({ webhook: this.#host }, 'a webhook answered 410 and is disabled; replay its dead letters to enable it')
      this.#stored(store => store.disable(this.url, true))
    }
    this.#disabled = true
    for (const each of [delivery, ...this.#queue.waiting]) this.#bury(each, 'the receiver answered 410 Gone')
  }

  #retry(delivery: Delivery, outcome: Answer | string): void {
    const { clock, random, metrics } = this.#parts
    const answer = typeof outcome === 'string' ? undefined : outcome
    const error = answer ? sentenceOf(answer.status) : (outcome as string)
    const asked = askedWait(answer?.retryAfter, clock)
    if (overloaded.has(answer?.status ?? 0)) this.#spare(asked)
    else metrics.attempts.inc({ result: 'failed' })
    const wait = waitAfter(delivery.attempts, asked, random)
    if (wait === undefined || this.#disabled) return this.#bury(delivery, error)
    const due = this.#now() + wait
    this.#queue.put({ ...delivery, due, error })
    this.#stored(store => store.keep(this.url, { ...delivery, due, error }))
  }

  #spare(asked: number): void {
    this.#parts.metrics.attempts.inc({ result: 'throttled' })
    this.#sparedUntil = Math.max(this.#sparedUntil, this.#now() + spareFor(this.#overloads, asked))
    this.#overloads += 1
  }

  #bury(delivery: Delivery, error: string): void {
    const { log, metrics } = this.#parts
    const letter = { ...delivery, dead: true, error }
    const dropped = this.#queue.bury(letter)
    if (!delivery.dead) {
      log.warn(
        { webhook: this.#host, event: delivery.id, attempts: delivery.attempts },
        `a delivery is given up: ${error}`
      )
      this.#stored(store => store.keep(this.url, letter))
    }
    if (!dropped) return
    metrics.lost.inc()
    this.#stored(store => store.forget(this.url, dropped.sequence))
  }

  /** A store that fails here costs at most a second delivery after a restart. */
  #stored(write: (store: EventStore) => Promise<void>): void {
    const { store, metrics } = this.#parts
    write(store).catch(() => metrics.storeFailures.inc())
  }
}

function sentenceOf(status: number): string {
  if (status >= 300 && status < 400) return `the receiver answered ${status}; redirects are not followed`
  return `the receiver answered ${status}`
}

/** undici wraps what went wrong. */
function failureOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : { cause: undefined }
  return reasonOf(cause ?? error) || 'the connection failed'
}
