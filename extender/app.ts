import type { Readable } from 'node:stream'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  LogController
} from 'fastify'
import type { Registry } from 'prom-client'
import { gangRoutes, type Reports } from './api/gangs.ts'
import { systemClock } from './clock.ts'
import { NotNow, reasonOf } from './errors.ts'
import { type Check, healthRoutes, type PairHealth, pairRoute } from './telemetry/health.ts'
import { metricsRoute } from './telemetry/metrics.ts'
import { readBody } from './verbs/body.ts'
import type { VerbParts } from './verbs/ports.ts'
import { verbRoutes } from './verbs/routes.ts'

/** A body is on its way no longer than this; kube-scheduler waits for a filter call no longer either. */
const bodyMs = 2_000

export type AppParts = {
  readonly verbs: VerbParts
  readonly reports: Reports
  readonly checks: readonly Check[]
  readonly pair: PairHealth
  readonly registry: Registry
  readonly logger: FastifyBaseLogger
}

/** The server that kube-scheduler calls. Never listens. */
export function buildApp(
  { verbs, checks, registry, logger }: AppParts,
  factory: FastifyServerFactory
): FastifyInstance {
  const app = server(logger, factory)
  // The verbs read the bytes themselves: thousands of node names need no parsing.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', ({ routeOptions, headers }: FastifyRequest, payload: Readable) => {
    const length = headers['content-length']
    const declared = length === undefined ? undefined : Number(length)
    return readBody(payload, { limit: routeOptions.bodyLimit, declared, patienceMs: bodyMs }, systemClock)
  })
  verbRoutes(app, verbs, registry)
  healthRoutes(app, checks)
  metricsRoute(app, registry)
  return app
}

/** The server that people call. Never listens. */
export function buildApi(
  { reports, checks, pair, registry, logger }: AppParts,
  factory: FastifyServerFactory
): FastifyInstance {
  const app = server(logger, factory)
  gangRoutes(app, reports)
  healthRoutes(app, checks)
  pairRoute(app, pair)
  metricsRoute(app, registry)
  return app
}

function server(logger: FastifyBaseLogger, serverFactory: FastifyServerFactory): FastifyInstance {
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { status, said } = answerTo(error, request)
    if (status >= 500 && !(error instanceof NotNow)) logger.error({ err: error }, 'failed to answer a request')
    return reply.code(status).send({ error: said })
  }
  const app = Fastify({
    serverFactory,
    // Only what no route reads: the verbs have limits of their own.
    bodyLimit: 64 * 1024,
    loggerInstance: onlyWarnings(logger),
    logController: new LogController({ disableRequestLogging: true }),
    // A 503 while draining would be a scheduling error; what has arrived is answered.
    return503OnClosing: false,
    // The names of pods go up to 253 characters.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1000 },
    frameworkErrors: (error, request, reply) => void refuse(error, request, reply as FastifyReply)
  })
  app.setErrorHandler(refuse)
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]
    return reply.code(404).send({ error: `muster has no ${request.method} ${path}` })
  })
  return app
}

/** What the framework says in words of its own, in ours. */
const sentences: Readonly<Record<string, (request: FastifyRequest) => string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ({ routeOptions }) => `the body is larger than ${routeOptions.bodyLimit} bytes`,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => 'the content type must be application/json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => 'the body is not as long as its Content-Length says'
}

function answerTo(error: unknown, request: FastifyRequest): { readonly status: number; readonly said: string } {
  const { statusCode: status = 500, code = '' } = error instanceof Error ? (error as Partial<FastifyError>) : {}
  if (error instanceof NotNow) return { status, said: error.message }
  if (status >= 500) return { status, said: 'muster failed to answer; its log says why' }
  return { status, said: sentences[code]?.(request) ?? reasonOf(error) }
}

/** Fastify's own lines below a warning only repeat what `main.ts` says. */
function onlyWarnings(logger: FastifyBaseLogger): FastifyBaseLogger {
  const level = ['error', 'fatal', 'silent'].includes(logger.level) ? logger.level : 'warn'
  return logger.child({}, { level })
}
