import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server, Agent, request as secureRequest } from 'node:https'
import type { Duplex } from 'node:stream'

/** One request that went through the proxy. */
export interface ApiCall {
  readonly at: number
  readonly method: string
  /** With the query. */
  readonly path: string
  /** What was sent; empty for reads. */
  readonly body: string
  /** Undefined while there is no reply; 0 when the connection broke. */
  status: number | undefined
}

/**
 * What happens to one request. `reset`: the connection is cut before the request goes on. `blackhole`: it does not go
 * on, and nobody says so. `truncated`: of the answer half a chunk comes, then the connection is cut.
 */
export type WireFault = 'reset' | 'blackhole' | 'truncated'

/** What a test does to the requests that pass; every part is optional. */
export interface Interceptor {
  /** Asked before a request goes on; a promise that never resolves holds it for good. */
  before?(call: ApiCall): Promise<void> | void
  /** Asked then. */
  fault?(call: ApiCall): WireFault | undefined
  /** Asked when the API server has answered: true loses the reply, after what it reports was done. */
  loses?(call: ApiCall): boolean
  /** Told when the reply's last byte was handed to the client. */
  replied?(call: ApiCall): void
}

/** Where the proxy listens, what it shows, and whom it asks. */
export interface ApiProxyOptions {
  readonly port: number
  readonly cert: string
  readonly key: string
  /** Base URL of the API server. */
  readonly target: string
}

/** An HTTPS proxy between muster and the API server that records every request and breaks on demand. */
export class ApiProxy {
  readonly url: string
  readonly #options: ApiProxyOptions
  readonly #server: Server
  readonly #agent: Agent
  readonly #sockets = new Set<Duplex>()
  readonly #streams = new Set<IncomingMessage>()
  #calls: ApiCall[] = []
  #interceptor: Interceptor = {}
  #thawed: { readonly promise: Promise<void>; resolve(): void } | undefined

  constructor(options: ApiProxyOptions) {
    this.#options = options
    this.url = `https://127.0.0.1:${options.port}`
    this.#agent = new Agent({ keepAlive: true, ca: options.cert })
    this.#server = createServer({ cert: options.cert, key: options.key, requestTimeout: 0 }, (from, to) => {
      this.#handle(from, to).catch(() => to.destroy())
    })
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
    this.#server.on('tlsClientError', () => {})
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port, '127.0.0.1', resolve)
    })
    return this
  }

  async stop(): Promise<void> {
    this.reset()
    this.#agent.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  /** Every request since the last `forget`. */
  get calls(): readonly ApiCall[] {
    return this.#calls
  }

  forget(): void {
    this.#calls = []
  }

  /** Puts a test's hands on the wire; `{}` takes them off again. */
  intercept(interceptor: Interceptor): void {
    this.#interceptor = interceptor
  }

  /** Closes every connection, mid-request or not. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** From now on nothing is answered and no watch event comes, while every connection stays open. */
  freeze(): void {
    this.#thawed ??= Promise.withResolvers<void>()
    for (const stream of this.#streams) stream.pause()
  }

  /** What is open stays open and tells nothing more, while new requests are answered. */
  freezeStreams(): void {
    for (const stream of this.#streams) stream.pause()
  }

  thaw(): void {
    this.#thawed?.resolve()
    this.#thawed = undefined
    for (const stream of this.#streams) stream.resume()
  }

  async #handle(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const body = from.method === 'GET' ? '' : await text(from)
    const { method = '', url: path = '' } = from
    const call: ApiCall = { at: performance.now(), method, path, body, status: undefined }
    this.#calls.push(call)
    const gone = new Promise<'gone'>(resolve => to.once('close', () => resolve('gone')))
    const interceptor = this.#interceptor
    const go = async () => {
      await this.#thawed?.promise
      await interceptor.before?.(call)
    }
    if ((await Promise.race([go(), gone])) === 'gone') return
    const fault = interceptor.fault?.(call)
    if (fault === 'reset') to.destroy()
    if (fault === 'reset' || fault === 'blackhole') return
    const upstream = secureRequest(this.#options.target + call.path, {
      agent: this.#agent,
      method: call.method,
      headers: from.headers
    })
    to.once('close', () => upstream.destroy())
    upstream.once('error', () => {
      call.status ??= 0
      to.destroy()
    })
    upstream.once('response', reply => {
      if (fault === 'truncated') truncate(reply, to)
      else this.#reply(call, reply, to, interceptor)
    })
    upstream.end(body)
  }

  #reply(call: ApiCall, reply: IncomingMessage, to: ServerResponse, interceptor: Interceptor): void {
    call.status = reply.statusCode ?? 0
    if (interceptor.loses?.(call)) {
      to.destroy()
      return
    }
    to.writeHead(call.status, reply.headers)
    to.flushHeaders()
    this.#streams.add(reply)
    to.once('close', () => this.#streams.delete(reply))
    reply.on('data', chunk => to.write(chunk))
    to.once('finish', () => interceptor.replied?.(call))
    reply.once('end', () => to.end())
    reply.once('error', () => to.destroy())
    if (this.#thawed) reply.pause()
  }
}

/** Hands on the head and half of the first chunk of a reply, and cuts the connection. */
export function truncate(reply: IncomingMessage, to: ServerResponse): void {
  to.writeHead(reply.statusCode ?? 0, reply.headers)
  reply.once('data', (chunk: Buffer) => to.write(chunk.subarray(0, chunk.length >> 1), () => to.destroy()))
  reply.once('end', () => to.destroy())
  reply.once('error', () => to.destroy())
}

async function text(stream: IncomingMessage): Promise<string> {
  let all = ''
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk)
  return all
}

const bindingPath = /^\/api\/v1\/namespaces\/[^/]+\/(pods\/[^/]+\/binding|bindings)(\?|$)/

/** Whether a request binds a pod. */
export const isBinding = (call: ApiCall): boolean => call.method === 'POST' && bindingPath.test(call.path)

const podPath = /^\/api\/v1\/namespaces\/([^/]+)\/(pods\/([^/?]+)(\/(status|binding))?|bindings)(\?|$)/

/** Whether a request writes to a pod of `namespace`: a nomination, an ungating, an annotation, a Binding. */
export const isPodWrite = (call: ApiCall, namespace: string): boolean =>
  call.method !== 'GET' && podPath.exec(call.path)?.[1] === namespace

/** Whether a request takes the gate off a pod, alone or with other changes. */
export const isUngating = (call: ApiCall): boolean => call.method === 'PATCH' && call.body.includes('schedulingGates')

/** The name of the pod that a request writes to. */
export const podWritten = (call: ApiCall): string | undefined => podPath.exec(call.path)?.[3]

/** The pod, as `namespace/name`, that a request binds; undefined where it binds none. */
export function bindingOf(call: ApiCall): string | undefined {
  return isBinding(call) ? `${podPath.exec(call.path)?.[1]}/${podWritten(call)}` : undefined
}
