import {
  create,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson
} from '@bufbuild/protobuf'
import { Code, ConnectError, createHandlerContext, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseDuration } from '../../policies/parse.ts'
import { reasonOf } from '../errors.ts'
import { openApi } from './openapi.ts'
import { SchedulerService } from './proto/generated/sandbox/v1/scheduler_pb.js'
import { invalid } from './refusals.ts'
import { type Route, routes } from './rest-routes.ts'
import { traceValues } from './server.ts'

type Impl = ServiceImpl<typeof SchedulerService>
type Params = Readonly<Record<string, string>>

/** The same calls for whoever has only curl: plain JSON over plain routes, durations as Go writes them, and a page that says so. */
export function sandboxRoutes(app: FastifyInstance, impl: Impl, closing: AbortSignal): void {
  for (const route of routes)
    app.route({
      ...{ method: route.verb, url: route.path },
      handler: (request, reply) => answer(route, impl, request, reply)
    })
  app.get('/v1/sandboxes/watch', (request, reply) => watch(impl, { request, reply, closing }))
  const page = openApi(routes)
  app.get('/openapi.json', async () => page)
}

async function answer(
  { method, status }: Route,
  impl: Impl,
  request: FastifyRequest,
  reply: FastifyReply
): Promise<JsonValue> {
  const { input, output } = SchedulerService.method[method]
  const context = contextOf(request, SchedulerService.method[method])
  const call = impl[method] as (message: unknown, context: HandlerContext) => Promise<object>
  const answered = create(output, await call(messageOf(input, request), context))
  for (const [name, value] of context.responseHeader) void reply.header(name, value)
  void reply.code(status(answered as { readonly created?: boolean }))
  return toJson(output, answered, { alwaysEmitImplicit: true })
}

type Stream = { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly closing: AbortSignal }

/** Server-sent events: each sandbox as it is, then as it changes. */
async function watch(impl: Impl, { request, reply, closing }: Stream): Promise<void> {
  const { input, output } = SchedulerService.method.watchSandboxes
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, closing])
  const context = { ...contextOf(request, SchedulerService.method.watchSandboxes), signal }
  const changes = impl.watchSandboxes(messageOf(input, request), context)
  reply.hijack()
  const { raw } = reply
  raw.on('close', () => gone.abort())
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  try {
    for await (const change of changes) {
      const text = JSON.stringify(toJson(output, create(output, change)))
      // A reader that does not read holds nothing but itself: what changes meanwhile is kept once for each sandbox.
      if (!raw.write(`data: ${text}\n\n`)) await drained(raw, signal)
    }
  } catch (error) {
    if (!signal.aborted) request.log.error({ err: error }, 'a watch has failed')
  }
  raw.end()
}

function drained(raw: FastifyReply['raw'], signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      raw.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    raw.on('drain', done)
    signal.addEventListener('abort', done)
  })
}

function contextOf(request: FastifyRequest, method: HandlerContext['method']): HandlerContext {
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)])
  return createHandlerContext({
    ...{ service: SchedulerService, method, protocolName: 'rest', requestMethod: request.method, url: request.url },
    requestHeader: headers,
    contextValues: traceValues(request.id)
  })
}

/** The request's message, from its path, its query and its body. */
function messageOf<T extends DescMessage>(input: T, { body, query, params }: FastifyRequest): MessageShape<T> {
  if (body !== undefined && body !== null && (typeof body !== 'object' || Array.isArray(body)))
    throw new ConnectError('the body must be a JSON object', Code.InvalidArgument)
  const given: JsonObject = { ...(query as JsonObject), ...(body as JsonObject | null), ...(params as Params) }
  try {
    return fromJson(input, Object.fromEntries(Object.entries(given).map(([name, value]) => [name, read(name, value)])))
  } catch (error) {
    if (error instanceof ConnectError) throw error
    throw new ConnectError(reasonOf(error).replace(/^cannot decode message /, 'cannot read '), Code.InvalidArgument)
  }
}

const durations: ReadonlySet<string> = new Set(['ttl', 'idleTimeout', 'idle_timeout', 'maxLifetime', 'max_lifetime'])
const numbers: ReadonlySet<string> = new Set(['pageSize', 'page_size'])

/** A duration of Go, `15m`, as protobuf writes it, and a number as a query gives it. */
function read(name: string, value: JsonValue): JsonValue {
  if (numbers.has(name) && typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value)
  if (!durations.has(name) || typeof value !== 'string') return value
  const ms = parseDuration(value)
  if (ms === undefined)
    throw invalid(name, `${name} ${JSON.stringify(value.slice(0, 80))} must be a duration such as 90s or 1h30m`)
  return `${(Math.round(ms) / 1000).toFixed(3)}s`
}
