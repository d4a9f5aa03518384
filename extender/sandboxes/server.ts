import { randomBytes } from 'node:crypto'
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext
} from '@connectrpc/connect'
import { fastifyConnectPlugin } from '@connectrpc/connect-fastify'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController
} from 'fastify'
import type { Registry } from 'prom-client'
import { reasonOf, UsageError } from '../errors.ts'
import { bodyOf, httpStatusOf, refusal } from './refusals.ts'

/** A named condition of readiness; a text says what is missing. */
export type Check = { readonly name: string; readonly problem: () => string | undefined }

export type ServerOptions = {
  readonly log: FastifyBaseLogger
  readonly registry: Registry
  /** Connect services: `router => router.service(SchedulerService, {…})`. */
  readonly services?: (router: ConnectRouter) => void
  /** Plain routes. Streams among them end when `closing` is aborted. */
  readonly routes?: (app: FastifyInstance, closing: AbortSignal) => void
  readonly checks?: readonly Check[]
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
}

export type RunningServer = {
  readonly url: string
  /** Answers what is under way, ends streams after a moment, then lets go of every connection. */
  readonly close: () => Promise<void>
}

/** Requests are small: a larger one is refused before it is read whole. */
const bodyLimit = 256 * 1024
/** The longest that a client may give a call; watches are opened anew after it. */
const maxTimeoutMs = 3_600_000
/** Streams are told so long after the beginning of the end; whatever is left is cut after the second time. */
const streamsMs = 200
const closeMs = 2_000

const traceKey = createContextKey('', { description: 'the id that the log has of this call' })
/** The id that the log has of this call: the client's `traceparent`, or our own. */
export const traceOf = ({ values }: Pick<HandlerContext, 'values'>): string => values.get(traceKey)

/** What a call knows of its trace. */
export const traceValues = (id: string): ContextValues => createContextValues().set(traceKey, id)

/** Starts one server that answers Connect and plain HTTP on one port. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port = 0 } = options
  const closing = new AbortController()
  const app = build(options, closing.signal)
  const address = await app.listen({ host, port }).catch((error: unknown) => {
    throw new UsageError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`)
  })
  const shown = host.includes(':') ? `[${host}]` : host
  const close = async (): Promise<void> => {
    closing.abort()
    const cut = setTimeout(() => app.server.closeAllConnections(), closeMs)
    await app.close()
    clearTimeout(cut)
  }
  let closed: Promise<void> | undefined
  return { url: `http://${shown}:${new URL(address).port}`, close: () => (closed ??= close()) }
}

function build({ log, registry, services, routes, checks = [] }: ServerOptions, closing: AbortSignal): FastifyInstance {
  const app = Fastify({
    bodyLimit,
    loggerInstance: onlyWarnings(log),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => traceIdOf(headers.traceparent) ?? randomBytes(16).toString('hex'),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300 },
    frameworkErrors: (error, request, reply) => void refuse(error, request, reply as FastifyReply)
  })
  app.setErrorHandler(refuse)
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]
    return refuse(new ConnectError(`there is no ${request.method} ${path} here`, Code.NotFound), request, reply)
  })
  audit(app, log)
  health(app, checks)
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  routes?.(app, closing)
  if (services) connect(app, services)
  return app
}

function connect(app: FastifyInstance, routes: (router: ConnectRouter) => void): void {
  void app.register(fastifyConnectPlugin, {
    routes,
    readMaxBytes: bodyLimit,
    maxTimeoutMs,
    shutdownTimeoutMs: streamsMs,
    shutdownError: refusal(Code.Unavailable, 'closing', 'the server is closing; ask again elsewhere', {
      retryAfterMs: 1_000
    }),
    // A misspelt field is refused by name, in place of being ignored.
    jsonOptions: { ignoreUnknownFields: false },
    contextValues: ({ id }) => traceValues(id)
  })
}

/** One line for each call, once it is answered. Probes and scrapes are no calls. */
function audit(app: FastifyInstance, log: FastifyBaseLogger): void {
  app.addHook('onResponse', async (request, reply) => {
    const url = request.routeOptions.url ?? 'unknown'
    if (['/livez', '/readyz', '/metrics'].includes(url)) return
    const { statusCode: status, elapsedTime } = reply
    const line = { trace: request.id, method: request.method, route: url, status, ms: Math.round(elapsedTime) }
    const replayed = [reply, reply.raw].some(each => each.getHeader('idempotent-replayed') === 'true')
    log.info({ ...line, replayed }, 'answered')
  })
}

/** GET /livez: the process answers. GET /readyz: it may be asked for something. */
function health(app: FastifyInstance, checks: readonly Check[]): void {
  app.get('/livez', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    const results = checks.map(({ name, problem }) => ({ name, problem: problem() }))
    const lines = results.map(({ name, problem }) => (problem ? `[-] ${name}: ${problem}` : `[+] ${name} ok`))
    const ready = results.every(({ problem }) => problem === undefined)
    return reply
      .code(ready ? 200 : 503)
      .type('text/plain')
      .send(`${lines.join('\n')}\n`)
  })
}

/** Fastify's own lines below a warning repeat what the audit says. */
function onlyWarnings(log: FastifyBaseLogger): FastifyBaseLogger {
  return log.child({}, { level: ['error', 'fatal', 'silent'].includes(log.level) ? log.level : 'warn' })
}

/** What the framework says in words of its own, in ours. */
const sentences: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: `the body is larger than ${bodyLimit} bytes`,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'the content type must be application/json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is no JSON'
}

/** Of the headers of an error: one that came from another server has those of that answer, too. */
const belongs = /^(retry-after$|muster-)/

/** A route throws what a call throws, and it is answered in the same words. */
function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refused = asConnectError(error)
  const status = statusOf(error, refused)
  if (status >= 500 && refused.code !== Code.Unavailable)
    request.log.error({ err: error, trace: request.id }, 'failed to answer a request')
  for (const [name, value] of refused.metadata) if (belongs.test(name)) void reply.header(name, value)
  return reply.code(status).send(bodyOf(refused))
}

function asConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error
  const { statusCode = 500, code = '' } = error instanceof Error ? (error as Partial<FastifyError>) : {}
  if (statusCode >= 500) return new ConnectError('failed to answer; the log says why', Code.Internal)
  return new ConnectError(sentences[code] ?? reasonOf(error), Code.InvalidArgument)
}

function statusOf(error: unknown, refused: ConnectError): number {
  const { statusCode } = error instanceof Error ? (error as Partial<FastifyError>) : {}
  return statusCode !== undefined && statusCode < 500 ? statusCode : httpStatusOf(refused)
}

/** The trace id of a W3C `traceparent`. */
function traceIdOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string'
    ? /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(header)?.[1]
    : undefined
}
