import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { mediaType, type Body } from './bodies.ts'
import type { Answer, Call, ServerParts } from './call.ts'
import type { User } from './identity.ts'
import { shapeOf } from './negotiation.ts'
import { flag, type Query } from './query.ts'
import { get, listed } from './reads.ts'
import { failure, statusOf } from './statuses.ts'
import { subresource } from './subresources.ts'
import { notAllowed, type Target, targetOf } from './target.ts'
import { watchOf } from './watches.ts'
import { create, patch, remove, removeAll, update } from './writes.ts'

const noBytes = Buffer.alloc(0)

/** Answers requests for resources, and says who did what. */
export class Answering {
  readonly #parts: ServerParts
  readonly #streams = new Set<ServerResponse>()

  constructor(parts: ServerParts) {
    this.#parts = parts
  }

  /** A handler for the paths below `/api/v1` and `/apis/GROUP/VERSION`. */
  readonly handle = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    this.answer(request, reply, call => route(call, request.method))

  /** Takes a request apart, has it answered, and sends that. Without a target the path says what is meant. */
  answer(request: FastifyRequest, reply: FastifyReply, how: (call: Call) => Answer, target?: Target): FastifyReply {
    const user = this.#parts.users.of(request.headers)
    let call: Call | undefined
    try {
      call = this.#call(request, reply, { user, target })
      const answer = how(call)
      this.#record(request, call, 'stream' in answer ? 200 : answer.status)
      return this.#send(reply, answer)
    } catch (error) {
      const status = statusOf(error)
      if (call) this.#record(request, call, status.status)
      return sendStatus(reply, error)
    }
  }

  /** Cuts what would never end by itself. */
  closeStreams(): void {
    for (const response of this.#streams) response.destroy()
  }

  #call(request: FastifyRequest, reply: FastifyReply, known: { user: User; target: Target | undefined }): Call {
    const path = request.url.split('?', 1)[0] ?? ''
    const target = known.target ?? targetOf(path, this.#parts.api.resources)
    const isLog = target.subresource === 'log'
    return {
      parts: this.#parts,
      target,
      user: known.user,
      query: request.query as Query,
      body: bodyOf(request),
      shape: isLog ? 'Object' : shapeOf(request.headers.accept),
      warn: warning => void reply.header('warning', `299 - ${JSON.stringify(warning)}`)
    }
  }

  #send(reply: FastifyReply, answer: Answer): FastifyReply {
    if (!('stream' in answer)) return sendJson(reply, answer.status, answer.body)
    const { raw } = reply.hijack()
    this.#streams.add(raw)
    raw.on('close', () => this.#streams.delete(raw))
    // A client that goes away in the middle is no error of ours.
    raw.on('error', () => raw.destroy())
    raw.writeHead(200, { 'content-type': answer.type, 'cache-control': 'no-cache, private' })
    answer.stream(raw)
    return reply
  }

  #record(request: FastifyRequest, { target, user, query, parts }: Call, code: number): void {
    const { resource, subresource: part, namespace = '', name = '' } = target
    this.#parts.audit.record({
      at: parts.clock.wall(),
      user: user.username,
      verb: verbOf(request.method, target, query),
      resource: part === undefined ? resource.id : `${resource.id}/${part}`,
      namespace,
      name,
      code
    })
  }
}

function route(call: Call, method: string): Answer {
  const { target, query } = call
  if (target.subresource !== undefined) return subresource(call, method)
  if (method === 'GET' && flag(query, 'watch')) return watchOf(call)
  const known = target.name === undefined ? ofCollection : ofObject
  const handler = known[method]
  if (!handler) throw notAllowed()
  return handler(call)
}

type Handlers = Readonly<Record<string, (call: Call) => Answer>>
const ofCollection: Handlers = { GET: listed, POST: create, DELETE: removeAll }
const ofObject: Handlers = { GET: get, PUT: update, PATCH: patch, DELETE: remove }
const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

function verbOf(method: string, { name }: Target, query: Query): string {
  if (method === 'DELETE') return name === undefined ? 'deletecollection' : 'delete'
  if (method !== 'GET') return verbs[method] ?? method.toLowerCase()
  if (flag(query, 'watch')) return 'watch'
  return name === undefined ? 'list' : 'get'
}

function bodyOf(request: FastifyRequest): Body {
  const bytes = Buffer.isBuffer(request.body) ? request.body : noBytes
  return { type: mediaType(request.headers['content-type']), bytes }
}

/** Sends JSON. */
export function sendJson(reply: FastifyReply, code: number, body: object): FastifyReply {
  return reply
    .code(code)
    .header('cache-control', 'no-cache, private')
    .type('application/json')
    .send(Buffer.from(JSON.stringify(body)))
}

/** Sends what was thrown as a `metav1.Status`. */
export function sendStatus(reply: FastifyReply, error: unknown): FastifyReply {
  const status = statusOf(error)
  const seconds = status.details?.retryAfterSeconds
  if (typeof seconds === 'number') reply.header('retry-after', String(seconds))
  return sendJson(reply, status.status, failure(status))
}
