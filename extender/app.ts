import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { gangRoutes, type Reports } from './api/gangs.ts'
import { reasonOf } from './errors.ts'
import { type Check, healthRoutes } from './telemetry/health.ts'
import { metricsRoute } from './telemetry/metrics.ts'
import type { VerbParts } from './verbs/ports.ts'
import { verbRoutes } from './verbs/routes.ts'

export type AppParts = {
  readonly verbs: VerbParts
  readonly reports: Reports
  readonly checks: readonly Check[]
  readonly registry: Registry
  readonly logger: FastifyBaseLogger
}

/** The server that kube-scheduler calls. Never listens. */
export function buildApp({ verbs, checks, registry, logger }: AppParts): FastifyInstance {
  const app = server(logger)
  // The verbs read the bytes themselves: thousands of node names need no parsing.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  verbRoutes(app, verbs, registry)
  healthRoutes(app, checks)
  metricsRoute(app, registry)
  return app
}

/** The server that people call. Never listens. */
export function buildApi({ reports, checks, registry, logger }: AppParts): FastifyInstance {
  const app = server(logger)
  gangRoutes(app, reports)
  healthRoutes(app, checks)
  metricsRoute(app, registry)
  return app
}

function server(loggerInstance: FastifyBaseLogger): FastifyInstance {
  const app = Fastify({
    loggerInstance,
    disableRequestLogging: true,
    // Go keeps idle connections for 90 s and does not repeat a POST on one that the server has just closed.
    keepAliveTimeout: 120_000,
    // A 503 while draining would be a scheduling error; what has arrived is answered.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true }
  })
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
    if (status >= 500) loggerInstance.error({ err: error }, 'failed to answer a request')
    return reply.code(status).send({ error: status >= 500 ? 'muster failed to answer; its log says why' : reasonOf(error) })
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]
    return reply.code(404).send({ error: `muster has no ${request.method} ${path}` })
  })
  return app
}
