import { StatusError } from '../../extender/embedded/store/objects.ts'
import type { ApiRequest, ApiResponse, ApiServer } from '../../extender/kubernetes/api-server.ts'
import { notSent, unknownOutcome } from '../../extender/kubernetes/errors.ts'
import type { WireStream } from '../../extender/kubernetes/transport.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'
import { type ApiTruth, refusal, targetOf } from './api-truth.ts'
import type { Chance } from './chance.ts'
import type { Fate, Faults } from './faults.ts'
import type { Journal } from './journal.ts'
import type { Process } from './process.ts'
import type { CrashPoint } from './traps.ts'
import { WatchStream } from './watch-stream.ts'

/** Told of each request of muster's, when it leaves and when it is carried out. */
export type Witness = {
  sent(request: ApiRequest): void
  /** Its answer is lost, on a way back that is as good as any. */
  lost(request: ApiRequest): void
  carriedOut(request: ApiRequest, response: ApiResponse, client: { readonly hasGivenUp: boolean }): void
}

export type WireParts = {
  readonly who: string
  /** Whose way it is. */
  readonly process: Process
  readonly truth: ApiTruth
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly faults: Faults
  readonly journal: Journal
  readonly witness: Witness
  /** Where around that write its process ends, if it does. */
  readonly crashes: (write: ApiRequest) => CrashPoint | undefined
  readonly crash: () => void
}

const defaultTimeoutMs = 30_000
const bookmarkMs = 60_000
const busy = { status: 429, headers: {}, body: { kind: 'Status', code: 429, message: 'too many requests' } }

type Watch = { readonly stream: WatchStream; readonly resource: string; last: number; frozen: boolean; end(): void }

/** One muster's way to the API server: slow, unreliable, and cut off for good when its process ends. */
export class Wire implements ApiServer {
  readonly url = 'https://api.simulated'
  readonly #parts: WireParts
  readonly #watches = new Set<Watch>()
  /** The list that was answered before the last one, and the version that the client has seen since. */
  readonly #lists = new Map<string, { readonly before: ApiResponse | undefined; readonly last: ApiResponse }>()
  /** Bindings that have left and are not answered: where they go. */
  readonly bindings = new Map<ApiRequest, string>()
  #alive = true

  constructor(parts: WireParts) {
    this.#parts = parts
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The process has ended: what is on its way may still arrive, and nobody hears an answer. */
  kill(): void {
    this.#alive = false
    for (const watch of [...this.#watches]) watch.end()
  }

  /** Whoever asks from now on has seen nothing yet. */
  forget(): void {
    this.#lists.clear()
  }

  request(request: ApiRequest): Promise<ApiResponse> {
    if (!this.#alive) return new Promise(() => {})
    const { process, chance, faults, journal, witness, who } = this.#parts
    const write = request.method !== 'GET'
    const crashes = write ? this.#parts.crashes(request) : undefined
    if (crashes === 'before it is sent') this.#parts.crash()
    if (!this.#alive) return new Promise(() => {})
    const fate = faults.fate(write)
    witness.sent(request)
    if (write) journal.say(`${who} ${labelOf(request)}${fate === 'answered' ? '' : ` (${fate})`}`)
    const isBinding = request.path.endsWith('/binding')
    if (isBinding) this.bindings.set(request, nodeIn(request))
    const exchange = Promise.withResolvers<ApiResponse>()
    const client = { hasGivenUp: false }
    const settle = (how: () => void): void => {
      if (!this.#alive || client.hasGivenUp) return
      client.hasGivenUp = true
      stop()
      request.signal?.removeEventListener('abort', giveUp)
      this.bindings.delete(request)
      how()
      if (crashes === 'once it is answered') this.#later(0, this.#parts.crash)
    }
    const giveUp = (): void => settle(() => exchange.reject(unknownOutcome('the request took too long')))
    const stop = process.clock.after(request.timeoutMs ?? defaultTimeoutMs, giveUp)
    request.signal?.addEventListener('abort', giveUp)
    const answer = (response: ApiResponse): void => process.hears(() => settle(() => exchange.resolve(response)))
    const fail = (error: Error): void => process.hears(() => settle(() => exchange.reject(error)))
    const reset = (): void => fail(unknownOutcome('the connection was reset'))
    // What has left a process arrives after its end as well, or does not.
    const survives = chance.is(0.5)
    const carryOut = (): ApiResponse | undefined => {
      if (!this.#alive && !survives) return undefined
      const response = this.#answerTo(request)
      witness.carriedOut(request, response, client)
      if (write) journal.say(`${who} ${labelOf(request)} = ${response.status}`)
      if (crashes === 'once it is carried out') this.#parts.crash()
      return response
    }
    const fates: Record<Fate, () => void> = {
      answered: () => this.#later(faults.latency(), () => this.#reply(carryOut(), answer)),
      'not sent': () => this.#later(faults.latency(), () => fail(notSent('refused'))),
      'lost before': () => this.#later(faults.latency(), reset),
      'lost after': () =>
        this.#later(faults.latency(), () => {
          if (carryOut()?.status === 201 && isBinding) journal.sees('bind reply lost')
          witness.lost(request)
          if (chance.is(0.7)) this.#later(faults.latency(), reset)
        }),
      late: () =>
        this.#later(faults.latency(), () => {
          const response = carryOut()
          if (response) this.#later(chance.between(1_000, 12_000), () => answer(response))
        }),
      stuck: () => this.#later(chance.between(1_000, 12_000), () => this.#reply(carryOut(), answer)),
      twice: () => {
        if (isBinding) journal.sees('bind sent twice')
        if (write) this.#later(chance.between(0, 3_000), carryOut)
        this.#later(faults.latency(), () => this.#reply(carryOut(), answer))
      },
      busy: () => this.#later(faults.latency(), () => answer(this.#busy())),
      broken: () =>
        this.#later(faults.latency(), () => {
          if (chance.is(0.5)) carryOut()
          answer({ status: chance.is(0.5) ? 500 : 503, headers: {}, body: { message: 'etcd timed out' } })
        }),
      conflict: () => this.#later(faults.latency(), () => answer(statusAnswer(409, 'Conflict'))),
      forbidden: () => this.#later(faults.latency(), () => answer(statusAnswer(403, 'Forbidden')))
    }
    fates[fate]()
    return exchange.promise
  }

  #reply(response: ApiResponse | undefined, answer: (response: ApiResponse) => void): void {
    if (response) this.#later(this.#parts.faults.latency(), () => answer(response))
  }

  #busy(): ApiResponse {
    const { chance, journal } = this.#parts
    if (chance.is(0.3)) return busy
    journal.sees('answered 429 with Retry-After')
    return { ...busy, headers: { 'retry-after': String(chance.between(1, 3)) } }
  }

  #answerTo(request: ApiRequest): ApiResponse {
    const { truth, chance, faults } = this.#parts
    const response = truth.answer(request)
    const isWholeList = request.method === 'GET' && request.query?.limit !== undefined && response.status === 200
    if (!isWholeList) return response
    const known = this.#lists.get(request.path)
    this.#lists.set(request.path, { before: known?.last, last: response })
    // A server that lags behind: only who has seen more can know, so nobody's first list is one.
    return known?.before && faults.requests > 0 && chance.is(0.3) ? this.#stale(request, known.before) : response
  }

  #stale(request: ApiRequest, before: ApiResponse): ApiResponse {
    this.#parts.journal.sees('stale list refused')
    this.#parts.journal.say(`${this.#parts.who} gets a stale list of ${request.path}`)
    return before
  }

  stream(request: ApiRequest): Promise<WireStream> {
    const { faults, chance, witness, process } = this.#parts
    if (!this.#alive) return new Promise(() => {})
    witness.sent(request)
    const opened = Promise.withResolvers<WireStream>()
    const refuse = (): void => opened.reject(unknownOutcome('the watch was given up'))
    request.signal?.addEventListener('abort', refuse)
    const open = (): void => {
      if (!this.#alive || request.signal?.aborted) return
      if (faults.away) return refuse()
      if (chance.is(faults.requests)) return chance.is(0.5) ? opened.resolve(answered(this.#busy())) : refuse()
      opened.resolve(this.#open(request))
    }
    this.#later(faults.latency(), () => process.hears(open))
    return opened.promise
  }

  #open(request: ApiRequest): WireStream {
    const { truth, clock, process } = this.#parts
    const { resource } = targetOf(request.path)
    const from = Number(request.query?.resourceVersion ?? 0)
    if (!request.query?.watch) return answered(this.#answerTo(request))
    if (from < truth.floor) return answered(refusal(expired()))
    const stream = new WatchStream()
    const stops: (() => void)[] = []
    const watch: Watch = {
      ...{ stream, resource, last: 0, frozen: false },
      end: () => {
        this.#watches.delete(watch)
        for (const stop of stops) stop()
      }
    }
    this.#watches.add(watch)
    const tell = (type: string, object: object): void => this.#tell(watch, type, object)
    stops.push(truth.api.watch(resource, ({ type, object }) => tell(type, object), { from: String(from) }))
    const bookmark = (): void => {
      tell('BOOKMARK', { metadata: { resourceVersion: truth.api.resourceVersion } })
      stops[1] = clock.after(bookmarkMs, bookmark)
    }
    stops.push(clock.after(bookmarkMs, bookmark))
    const close = (): void => {
      watch.end()
      if (!watch.frozen) process.hears(() => stream.close())
    }
    stops.push(clock.after(Number(request.query?.timeoutSeconds ?? 300) * 1_000, close))
    request.signal?.addEventListener('abort', () => {
      watch.end()
      stream.breakOff('aborted')
    })
    return { status: 200, headers: {}, chunks: stream }
  }

  /** In the server's order, each after a while of its own: watches of two resources overtake each other. */
  #tell(watch: Watch, type: string, object: object): void {
    const { clock, faults, process } = this.#parts
    if (watch.frozen) return
    watch.last = Math.max(watch.last, clock.now() + faults.lag())
    const line = lineOf(type, object)
    this.#later(watch.last - clock.now(), () => {
      if (!watch.frozen) process.hears(() => watch.stream.push(line))
    })
  }

  /** Half-open connections: nothing comes any more, and nobody says so. */
  freeze(): void {
    for (const watch of this.#watches) watch.frozen = true
    if (this.#watches.size > 0) this.#parts.journal.sees('watch frozen')
  }

  /** All watches end, as when the API server restarts. */
  cut(): void {
    for (const watch of [...this.#watches]) {
      watch.end()
      this.#parts.process.hears(() => watch.stream.breakOff('the API server has gone'))
    }
  }

  /** All watches hear that their version is too old. */
  expire(): boolean {
    const open = [...this.#watches].filter(watch => !watch.frozen)
    for (const watch of open) {
      const line = lineOf('ERROR', { code: 410, message: 'too old resource version' })
      this.#parts.process.hears(() => watch.stream.push(line))
      watch.end()
    }
    return open.length > 0
  }

  #later(ms: number, task: () => void): void {
    this.#parts.clock.after(ms, task)
  }
}

const expired = (): StatusError => new StatusError(410, 'Expired', 'too old resource version')

/** Each version of an object is written once, however many watch it. */
const lines = new WeakMap<object, Map<string, Uint8Array>>()

function lineOf(type: string, object: object): Uint8Array {
  const known = lines.get(object) ?? new Map<string, Uint8Array>()
  lines.set(object, known)
  const line = known.get(type) ?? Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`)
  known.set(type, line)
  return line
}

function statusAnswer(status: number, reason: string): ApiResponse {
  return refusal(new StatusError(status, reason, `the simulation says ${reason}`))
}

async function* whole(body: unknown): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(body))
}

const answered = ({ status, headers, body }: ApiResponse): WireStream => ({ status, headers, chunks: whole(body) })

export function nodeIn({ body }: ApiRequest): string {
  return (body as { readonly target?: { readonly name?: string } } | undefined)?.target?.name ?? ''
}

/** As the journal tells it. */
function labelOf(request: ApiRequest): string {
  const { namespace, name, part, resource } = targetOf(request.path)
  if (resource === 'events.events.k8s.io') return 'event'
  const body = (request.body ?? {}) as { spec?: object; status?: object; metadata?: { annotations?: object } }
  const what =
    part === 'binding'
      ? ` to ${nodeIn(request)} ${JSON.stringify(body.metadata?.annotations ?? {})}`
      : ` ${JSON.stringify(body.status ?? body.spec ?? body.metadata?.annotations ?? '')}`
  return `${request.method} ${namespace}/${name}/${part ?? ''}${what}`
}
