import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { truncate, type WireFault } from './api-proxy.ts'

/** One call of kube-scheduler on the extender. */
export interface VerbCall {
  readonly at: number
  readonly verb: string
  /** `namespace/name` */
  readonly pod: string
  readonly uid: string
  /** The nodes offered; for bind the node chosen; for preempt the candidates. */
  readonly nodes: readonly string[]
  /** The fields of the request and what kind each is, and those of its pod. */
  readonly fields: string
  /** Undefined while there is no answer; 0 when the connection broke. */
  status: number | undefined
  /** The answer as it came. */
  answer: string
}

interface Request {
  readonly Pod?: { readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string } }
  readonly NodeNames?: readonly string[] | null
  readonly NodeNameToMetaVictims?: Readonly<Record<string, unknown>> | null
  readonly PodName?: string
  readonly PodNamespace?: string
  readonly PodUID?: string
  readonly Node?: string
}

/**
 * An HTTP proxy between kube-scheduler and muster that records every verb call.
 *
 * Each of kube-scheduler's connections has one of its own to muster, opened and closed with it, so that muster sees
 * a scheduler restart as it would without the proxy.
 */
export class ExtenderProxy {
  readonly url: string
  /** Answers in muster's place where it answers a text; undefined asks muster. */
  intercept: (call: VerbCall) => string | undefined = () => undefined
  /** Asked before a call goes on to muster; a promise that never resolves holds it for good. */
  before: (call: VerbCall) => Promise<void> | void = () => {}
  /** What then happens to it; `lost`: muster has answered, and the answer does not arrive. */
  fault: (call: VerbCall) => WireFault | 'lost' | undefined = () => undefined
  readonly #port: number
  readonly #target: string
  readonly #server: Server
  readonly #agents = new Map<Socket, Agent>()
  #calls: VerbCall[] = []

  /** `target` is muster's base URL. */
  constructor(port: number, target: string) {
    this.#port = port
    this.#target = target
    this.url = `http://127.0.0.1:${port}`
    this.#server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (from, to) => {
      this.#handle(from, to).catch(() => to.destroy())
    })
    this.#server.on('connection', socket => this.#connect(socket))
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    return this
  }

  async stop(): Promise<void> {
    for (const socket of this.#agents.keys()) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  /** Every call since the last `forget`, in order. */
  get calls(): readonly VerbCall[] {
    return this.#calls
  }

  forget(): void {
    this.#calls = []
  }

  /** The calls of one verb, of all pods or of those that match. */
  of(verb: string, matches: (call: VerbCall) => boolean = () => true): readonly VerbCall[] {
    return this.#calls.filter(call => call.verb === verb && matches(call))
  }

  #connect(socket: Socket): void {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    this.#agents.set(socket, agent)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#agents.delete(socket)
      agent.destroy()
    })
  }

  async #handle(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const body = await read(from)
    const call = describe(from.url ?? '', body)
    this.#calls.push(call)
    const instead = this.intercept(call)
    if (instead !== undefined) {
      call.status = 200
      call.answer = instead
      to.writeHead(200, { 'content-type': 'application/json' }).end(instead)
      return
    }
    await this.before(call)
    const agent = this.#agents.get(from.socket)
    const fault = this.fault(call)
    if (fault === 'reset') from.socket.destroy()
    if (!agent || fault === 'reset' || fault === 'blackhole') return
    const upstream = request(this.#target + (from.url ?? ''), {
      agent,
      method: from.method ?? 'POST',
      headers: from.headers
    })
    to.once('close', () => {
      if (!to.writableFinished) upstream.destroy()
    })
    upstream.once('error', () => {
      call.status = 0
      from.socket.destroy()
    })
    upstream.once('response', reply => {
      if (fault === 'lost') from.socket.destroy()
      else if (fault === 'truncated') truncate(reply, to)
      else answer(call, reply, to).catch(() => from.socket.destroy())
    })
    upstream.end(body)
  }
}

async function answer(call: VerbCall, reply: IncomingMessage, to: ServerResponse): Promise<void> {
  const body = await read(reply)
  call.status = reply.statusCode ?? 0
  call.answer = body.toString('utf8')
  to.writeHead(call.status, reply.headers)
  to.end(body)
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function describe(url: string, body: Buffer): VerbCall {
  const request = parse(body)
  const { Pod, ...rest } = request
  const pod = Pod?.metadata
  return {
    at: performance.now(),
    verb: url.slice(url.lastIndexOf('/') + 1),
    pod: `${pod?.namespace ?? rest.PodNamespace}/${pod?.name ?? rest.PodName}`,
    uid: pod?.uid ?? rest.PodUID ?? '',
    nodes: nodesOf(rest),
    fields: [...fieldsOf(request), ...(Pod ? fieldsOf(Pod, 'Pod.') : [])].join(' '),
    status: undefined,
    answer: ''
  }
}

function fieldsOf(request: object, prefix = ''): readonly string[] {
  return Object.entries(request)
    .map(([name, value]) => `${prefix}${name}:${kindOf(value)}`)
    .toSorted()
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'list' : typeof value
}

function nodesOf(rest: Request): readonly string[] {
  if (rest.NodeNames) return rest.NodeNames
  if (rest.NodeNameToMetaVictims) return Object.keys(rest.NodeNameToMetaVictims)
  return rest.Node === undefined ? [] : [rest.Node]
}

function parse(body: Buffer): Request {
  try {
    return JSON.parse(body.toString('utf8')) as Request
  } catch {
    return {}
  }
}
