import { createSecureContext, type SecureContext } from 'node:tls'
import { Agent, type Dispatcher } from 'undici'
import { causeOf, notSent, unknownOutcome } from './errors.ts'

/** TLS of the connection to the API server, as `tls.connect` takes it. */
export type TlsOptions = {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly rejectUnauthorized?: boolean
  readonly servername?: string
}

export type WireRequest = {
  readonly method: string
  /** Path with query, as it goes on the wire. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

export type WireAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type WireStream = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Chunks as they arrive; throws when the connection breaks or the request's signal is aborted. */
  readonly chunks: AsyncIterable<Uint8Array>
}

/**
 * The way to one server. Tests and the simulator bring their own.
 * Both methods throw a ConnectionError that tells `MUSTER_NOT_SENT` from `MUSTER_UNKNOWN_OUTCOME`;
 * an aborted signal is one of the two as well.
 */
export interface Transport {
  exchange(request: WireRequest): Promise<WireAnswer>
  open(request: WireRequest): Promise<WireStream>
  /** Takes no more requests and lets go once the running ones have ended. */
  retire(): void
  /** Cuts whatever runs. */
  close(): Promise<void>
}

export type TransportOptions = {
  readonly origin: string
  readonly tls: TlsOptions
  /** Connections for ordinary requests; more requests wait for their turn. */
  readonly connections: number
}

/** Streams hold a connection each for minutes: their own pool, so that they never take a write's place. */
const streamConnections = 64
const connectTimeoutMs = 5_000
const givenUp = 'the request was given up or took too long'

/** Two bounded undici pools, HTTP/1.1: one stalled TCP connection then delays one request and not all of them. */
export function undiciTransport({ origin, tls, connections }: TransportOptions): Transport {
  // Deadlines are the caller's, on the injected clock; undici's own would fire on real time.
  const common = {
    connect: { ...tls, ...prepared(tls), timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 30_000 },
    allowH2: false,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    // Below the 90 s after which Go servers and load balancers drop idle connections.
    keepAliveTimeout: 60_000
  }
  const requests = new Agent({ ...common, connections })
  const streams = new Agent({ ...common, connections: streamConnections })
  return {
    exchange: request => exchange(requests, origin, request),
    open: request => open(streams, origin, request),
    retire() {
      for (const agent of [requests, streams]) agent.close().catch(() => {})
    },
    async close() {
      await Promise.all([requests.destroy(), streams.destroy()])
    }
  }
}

/**
 * The certificates are read once, not for every connection: while the API server is away there are thousands of attempts
 * at one. What cannot be read is told by each attempt.
 */
function prepared(tls: TlsOptions): { readonly secureContext?: SecureContext } {
  try {
    return { secureContext: createSecureContext(tls) }
  } catch {
    return {}
  }
}

function exchange(agent: Agent, origin: string, request: WireRequest): Promise<WireAnswer> {
  if (request.signal?.aborted) return Promise.reject(notSent(givenUp))
  return new Promise((resolve, reject) => {
    const handler = new Exchange(request, resolve, reject)
    try {
      agent.dispatch(dispatchOptions(origin, request), handler)
    } catch (error) {
      handler.onResponseError(undefined, error)
    }
  })
}

function dispatchOptions(origin: string, request: WireRequest): Dispatcher.DispatchOptions {
  const { method, path, headers, body } = request
  return { origin, method, path, headers: { ...headers }, body: body ?? null }
}

/** One request. undici calls `onRequestStart` right before the first byte leaves: that is the line between the errors. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (answer: WireAnswer) => void
  readonly #reject: (error: Error) => void
  readonly #chunks: Uint8Array[] = []
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Record<string, string> = {}

  constructor(request: WireRequest, resolve: (answer: WireAnswer) => void, reject: (error: Error) => void) {
    this.#signal = request.signal
    this.#resolve = resolve
    this.#reject = reject
    this.#signal?.addEventListener('abort', this.#abort)
  }

  readonly #abort = (): void => {
    const error = new Error(givenUp)
    if (this.#controller) this.#controller.abort(error)
    else this.onResponseError(undefined, error)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#signal?.aborted) return controller.abort(new Error(givenUp))
    this.#controller = controller
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>): void {
    this.#status = status
    this.#headers = plain(headers)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#resolve({ status: this.#status, headers: this.#headers, body: Buffer.concat(this.#chunks) })
  }

  onResponseError(_: unknown, error: unknown): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#reject((this.#controller ? unknownOutcome : notSent)(causeOf(error), error))
  }
}

async function open(agent: Agent, origin: string, request: WireRequest): Promise<WireStream> {
  try {
    const options = { ...dispatchOptions(origin, request), signal: request.signal ?? null }
    const { statusCode, headers, body } = await agent.request(options)
    return { status: statusCode, headers: plain(headers), chunks: body }
  } catch (error) {
    throw unknownOutcome(causeOf(error), error)
  }
}

function plain(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : String(value)
  }
  return flat
}
