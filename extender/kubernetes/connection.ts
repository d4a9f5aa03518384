import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { ApiRequest, ApiResponse, ApiServer } from './api-server.ts'
import { type Credentials, type CredentialSource, loadCredentials } from './credentials.ts'
import { causeOf, notSent } from './errors.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { codeLabel, resourceLabel, verbLabel } from './request-labels.ts'
import { type TlsOptions, type Transport, undiciTransport, type WireRequest, type WireStream } from './transport.ts'

export type { ApiRequest, ApiResponse, ApiServer } from './api-server.ts'

export type ConnectOptions = {
  readonly clock: Clock
  readonly metrics: KubernetesMetrics
  /** Path of a kubeconfig; else KUBECONFIG, ~/.kube/config, or the pod's service account. */
  readonly kubeconfig?: string
  /** Connections for requests, default 32: binds of a gang go out side by side. */
  readonly connections?: number
}

/** Connects to the cluster of a kubeconfig. Reads configuration only: the first request dials. */
export async function connect(options: ConnectOptions): Promise<ApiServer> {
  const credentials = await loadCredentials(options.clock, options.kubeconfig)
  const { origin } = new URL(credentials.server)
  const transport = (tls: TlsOptions): Transport =>
    undiciTransport({ origin, tls, connections: options.connections ?? 32 })
  return new Connection({ ...options, credentials, transport })
}

export type ConnectionParts = {
  readonly clock: Clock
  readonly metrics: KubernetesMetrics
  readonly credentials: CredentialSource
  /** Called again when the TLS material has changed. */
  readonly transport: (tls: TlsOptions) => Transport
}

/** An ApiServer over any transport and source of credentials. */
export class Connection implements ApiServer {
  readonly url: string
  readonly #parts: ConnectionParts
  readonly #prefix: string
  #transport: Transport | undefined
  #tls: TlsOptions | undefined
  #fingerprint = ''

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.url = parts.credentials.server
    this.#prefix = new URL(this.url).pathname.replace(/\/+$/, '')
  }

  async request(options: ApiRequest): Promise<ApiResponse> {
    const { signal, release } = this.#limited(options)
    try {
      const answer = await this.#counted(options, (transport, wire) => transport.exchange({ ...wire, signal }))
      const { status, headers } = answer
      return {
        ...{ status, headers },
        // Parsed for whoever reads it: most writes are answered with the whole object, and done is all they ask.
        get body(): unknown {
          return parsed(answer.body)
        }
      }
    } finally {
      release()
    }
  }

  async stream(options: ApiRequest): Promise<WireStream> {
    const { signal, started } = this.#limited(options)
    try {
      return await this.#counted(options, (transport, wire) => transport.open({ ...wire, signal }))
    } finally {
      // The chunks come later: the caller's signal must still cut them off.
      started()
    }
  }

  async close(): Promise<void> {
    await this.#transport?.close()
  }

  /** A signal that fires at the caller's or when time is up. */
  #limited({ timeoutMs, signal }: ApiRequest): { signal: AbortSignal; release: () => void; started: () => void } {
    const controller = new AbortController()
    const abort = (): void => controller.abort()
    const started = this.#parts.clock.after(timeoutMs ?? 30_000, abort)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    const release = (): void => {
      started()
      signal?.removeEventListener('abort', abort)
    }
    return { signal: controller.signal, release, started }
  }

  async #counted<A extends { readonly status: number }>(
    options: ApiRequest,
    send: (transport: Transport, wire: WireRequest) => Promise<A>
  ): Promise<A> {
    const labels = { verb: verbLabel(options), resource: resourceLabel(options.path) }
    try {
      const { headers, tls } = await this.#authenticated()
      const answer = await send(this.#transportFor(tls), this.#wire(options, headers))
      this.#parts.metrics.requests.inc({ ...labels, code: codeLabel(answer.status) })
      if (answer.status === 401) this.#parts.credentials.forget()
      return answer
    } catch (error) {
      this.#parts.metrics.requests.inc({ ...labels, code: 'error' })
      throw error
    }
  }

  async #authenticated(): Promise<Credentials> {
    try {
      return await this.#parts.credentials.current()
    } catch (error) {
      throw notSent(`cannot get credentials: ${causeOf(error)}`, error)
    }
  }

  #wire(options: ApiRequest, credentials: Readonly<Record<string, string>>): WireRequest {
    const { method, path, query, body, contentType } = options
    const headers = { accept: 'application/json', 'user-agent': 'muster', ...credentials }
    const wire = { method, path: this.#prefix + path + queryString(query) }
    if (body === undefined) return { ...wire, headers }
    const typed = { ...headers, 'content-type': contentType ?? 'application/json' }
    return { ...wire, headers: typed, body: JSON.stringify(body) }
  }

  /** Rotated certificates need new sockets; the old ones finish what they carry. */
  #transportFor(tls: TlsOptions): Transport {
    // The same object as for the last request has the same contents: not hashed for each.
    if (this.#transport && tls === this.#tls) return this.#transport
    this.#tls = tls
    const fingerprint = fingerprintOf(tls)
    if (this.#transport && fingerprint === this.#fingerprint) return this.#transport
    this.#transport?.retire()
    this.#fingerprint = fingerprint
    this.#transport = this.#parts.transport(tls)
    return this.#transport
  }
}

function queryString(query: ApiRequest['query']): string {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) pairs.set(name, String(value))
  return pairs.size === 0 ? '' : `?${pairs.toString()}`
}

function parsed(body: Uint8Array): unknown {
  if (body.length === 0) return undefined
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString())
  } catch {
    return undefined
  }
}

function fingerprintOf(tls: TlsOptions): string {
  const hash = createHash('sha256')
  for (const part of [tls.ca, tls.cert, tls.key]) hash.update(part ?? '').update('\0')
  return `${hash.digest('base64')} ${tls.rejectUnauthorized} ${tls.servername}`
}

/** Where the API server is a plain URL, as in tests and in-process clusters: no authentication, or that one header. */
export function connectTo(
  url: string,
  { clock, metrics, authorization }: { clock: Clock; metrics: KubernetesMetrics; authorization?: string }
): ApiServer {
  const server = url.replace(/\/+$/, '')
  const headers: Record<string, string> = authorization ? { authorization } : {}
  return new Connection({
    clock,
    metrics,
    credentials: { server, current: () => Promise.resolve({ headers, tls: {} }), forget() {} },
    transport: tls => undiciTransport({ origin: new URL(server).origin, tls, connections: 32 })
  })
}
