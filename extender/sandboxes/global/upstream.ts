import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import type { Entry } from './entry.ts'
import { type Failure, failureOf } from './failures.ts'

export type SchedulerClient = Client<typeof SchedulerService>
/** What a call passes on. */
export type CallOptions = { readonly headers: Headers; readonly signal: AbortSignal }
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

/** The scheduler of one cluster, called with a deadline. */
export class Upstream {
  readonly entry: Entry
  readonly #client: SchedulerClient
  readonly #clock: Clock

  constructor(entry: Entry, transport: Transport, clock: Clock) {
    this.entry = entry
    this.#client = createClient(SchedulerService, transport)
    this.#clock = clock
  }

  /** Never rejects. The call is told how long it may take, and is given up after that. */
  async call<T>(
    timeoutMs: number,
    headers: Headers,
    send: (client: SchedulerClient, options: CallOptions) => Promise<T>
  ): Promise<Outcome<T>> {
    const giveUp = new AbortController()
    const late = new ConnectError(`no answer within ${timeoutMs / 1000} s`, Code.DeadlineExceeded)
    const cancel = this.#clock.after(timeoutMs, () => giveUp.abort(late))
    const timed = new Headers(headers)
    timed.set('connect-timeout-ms', String(Math.ceil(timeoutMs)))
    try {
      return { ok: true, value: await send(this.#client, { headers: timed, signal: giveUp.signal }) }
    } catch (error) {
      return { ok: false, failure: failureOf(giveUp.signal.aborted ? late : error) }
    } finally {
      cancel()
    }
  }

  /** Without a deadline: for streams. */
  get client(): SchedulerClient {
    return this.#client
  }
}
