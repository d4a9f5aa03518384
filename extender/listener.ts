import { createServer } from 'node:http'
import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { Server } from 'node:net'
import { setImmediate as afterwards, setTimeout as wait } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerFactory } from 'fastify'
import { systemClock } from './clock.ts'
import type { Address } from './config.ts'
import { Connections, idleMs } from './connections.ts'
import { reasonOf } from './errors.ts'
import { type Certificates, namesIn } from './tls.ts'

/** What holds before anything of a request is known. */
const limits = {
  keepAliveTimeout: idleMs,
  headersTimeout: 2_000,
  requestTimeout: 2_000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 8 * 1024
}
const handshakeMs = 5_000
/** At the barrier every member waits on a stream of its own (HTTP/2); beyond that, Go opens another connection. */
const maxStreams = 1024
/** And on a connection of its own over HTTP/1.1, so this also bounds a gang there. */
const maxConnections = 4096
/** The same complaint is not made more often. */
const seldomMs = 60_000

type Handler = Parameters<FastifyServerFactory>[0]

export type ListenerParts = {
  /** What logs call it. */
  readonly what: string
  readonly log: Record<'info' | 'warn', (fields: object, text: string) => void>
  /** Absent: plain HTTP. */
  readonly certificates?: Certificates | undefined
  /** Empty: whoever has a certificate that the CA, if there is one, has signed may call. */
  readonly clientNames?: readonly string[]
}

/** A port: HTTP/1.1, over TLS HTTP/2 as well. Bounds slow and many clients, and closes without cutting anybody off. */
export class Listener {
  /** Makes the server of a Fastify app. */
  readonly factory: FastifyServerFactory
  readonly #parts: ListenerParts
  readonly #connections = new Connections(systemClock)
  /** Of several addresses of one name, each has a server of its own. */
  readonly #servers = new Set<Server>()
  readonly #refusals = new WeakMap<object, string | undefined>()
  readonly #complained = new Map<Complaint, number>()
  #stopWatch = (): void => {}

  constructor(parts: ListenerParts) {
    this.#parts = parts
    this.factory = handler => this.#server(handler) as ReturnType<FastifyServerFactory>
  }

  /** Opens the port for that app, which was made by `factory`. */
  async open(app: FastifyInstance, { host, port }: Address): Promise<string> {
    const { certificates, what, log } = this.#parts
    app.addHook('onRequest', async (request, reply) => this.#admit(request, reply))
    app.addHook('onSend', async (request, reply) => this.#announce(request, reply))
    const address = await app.listen({ host, port })
    this.#stopWatch = certificates?.watch(() => this.#renew()) ?? this.#stopWatch
    const url = certificates ? address.replace(/^http:/, 'https:') : address
    log.info({ url }, `the ${what} listens`)
    return url
  }

  /** Takes no more connections, answers what is under way, and ends those that are left when that time is over. */
  async close(graceMs: number): Promise<void> {
    const end = systemClock.now() + graceMs
    this.#stopWatch()
    // Always right behind the poll phase: whoever has knocked is let in, whoever has asked is known.
    await afterwards()
    for (const server of this.#servers) Server.prototype.close.call(server)
    this.#connections.close()
    while (this.#connections.size > 0 && systemClock.now() < end) {
      await wait(25)
      await afterwards()
      this.#connections.endIdle()
    }
    this.#connections.destroy()
  }

  #server(handler: Handler): Server {
    const { certificates } = this.#parts
    const server: Server = certificates ? this.#secure(certificates, handler) : createServer(limits, handler)
    server.maxConnections = maxConnections
    server.on('drop', () => this.#complain('full', `has ${server.maxConnections} connections and refuses more`))
    this.#connections.follow(server, certificates ? 'secureConnection' : 'connection')
    this.#servers.add(server)
    return server
  }

  #secure({ secrets }: Certificates, handler: Handler): Server {
    const mutual = secrets.ca !== undefined
    const server = createSecureServer(
      {
        ...secrets,
        ...limits,
        allowHTTP1: true,
        handshakeTimeout: handshakeMs,
        requestCert: mutual,
        rejectUnauthorized: mutual,
        settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: limits.maxHeaderSize }
      },
      handler as never
    )
    server.on('tlsClientError', (error: TlsError, socket: TLSSocket) => this.#refused(error, socket))
    return server
  }

  /** New connections get the new certificate, and old ones end after what is under way. */
  #renew(): void {
    const { certificates } = this.#parts
    for (const server of this.#servers) {
      if (certificates && 'setSecureContext' in server) (server as SecureServer).setSecureContext(certificates.secrets)
    }
    this.#connections.retire()
  }

  /** Refuses clients that the CA has signed for but that are not named. */
  #admit({ raw }: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const { clientNames = [] } = this.#parts
    if (clientNames.length === 0) return undefined
    const connection = streamOf(raw)?.session ?? raw.socket
    if (!this.#refusals.has(connection)) this.#refusals.set(connection, refusal(raw.socket as TLSSocket, clientNames))
    const error = this.#refusals.get(connection)
    if (error === undefined) return undefined
    this.#complain('name', `refused a call: ${error}`)
    return reply.code(403).header('connection', 'close').send({ error })
  }

  /** The last answer of a connection says so; over HTTP/2 the connection itself does, and only a stream can be cut. */
  #announce({ raw }: FastifyRequest, reply: FastifyReply): void {
    const stream = streamOf(raw)
    if (stream) {
      reply.removeHeader('connection')
      // Answered before its body has come: the rest is not wanted.
      if (!raw.complete) stream.once('finish', () => stream.close())
    } else if (this.#connections.isLast(raw.socket)) reply.header('connection', 'close')
  }

  /** Node tells the client nothing but the end of the connection. */
  #refused(error: TlsError, socket: TLSSocket): void {
    const why = socket.authorizationError ?? error.reason ?? error
    this.#complain('handshake', `refused a TLS client: ${reasonOf(why)}`)
  }

  #complain(kind: Complaint, text: string): void {
    const now = systemClock.now()
    if (now - (this.#complained.get(kind) ?? Number.NEGATIVE_INFINITY) < seldomMs) return
    this.#complained.set(kind, now)
    this.#parts.log.warn({}, `the ${this.#parts.what} ${text}`)
  }
}

/** OpenSSL's own words are in `reason`. */
type TlsError = Error & { readonly reason?: string }
type Complaint = 'full' | 'handshake' | 'name'
type SecureServer = Server & { setSecureContext(secrets: object): void }

/** Of a request over HTTP/2. */
function streamOf(raw: object): ServerHttp2Stream | undefined {
  return 'stream' in raw ? (raw.stream as ServerHttp2Stream) : undefined
}

function refusal(socket: TLSSocket, allowed: readonly string[]): string | undefined {
  const names = namesIn(socket.getPeerCertificate())
  if (names.some(name => allowed.includes(name))) return undefined
  return `the client is called ${names.join(', ') || 'nothing'}, and only ${allowed.join(', ')} may call`
}
