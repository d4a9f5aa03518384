import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import type { Answer } from './answer.ts'
import { bind } from './bind.ts'
import { filter } from './filter.ts'
import { isVerb, type Verb, verbMetrics } from './metrics.ts'
import type { VerbParts } from './ports.ts'
import { preempt } from './preempt.ts'
import { prioritize } from './prioritize.ts'

const MiB = 1024 ** 2

/** The four verbs as kube-scheduler calls them, counted and timed. */
export function verbRoutes(app: FastifyInstance, parts: VerbParts, registry: Registry): void {
  const { requests, duration } = verbMetrics(registry)
  const { tracer } = parts
  const route = (
    verb: Verb,
    bodyLimit: number,
    handle: (body: Buffer, reply: FastifyReply) => Answer | Promise<Answer>
  ): void => {
    app.post(`/${verb}`, { bodyLimit }, async (request, reply) => {
      const { outcome, json, pod, status = 200 } = await handle(bodyOf(request), reply)
      requests.inc({ verb, outcome })
      tracer?.called({ verb, outcome, status, pod, scheme: request.protocol, ms: reply.elapsedTime })
      return reply.code(status).type('application/json').send(json)
    })
  }
  app.addHook('onError', async (request, reply, { statusCode: status = 500 }) => {
    const verb = verbOf(request)
    if (verb === undefined) return
    const outcome = status < 500 ? 'invalid' : 'error'
    requests.inc({ verb, outcome })
    tracer?.called({ verb, outcome, status, pod: undefined, scheme: request.protocol, ms: reply.elapsedTime })
  })
  app.addHook('onResponse', async (request, reply) => {
    const verb = verbOf(request)
    if (verb !== undefined) duration.observe({ verb }, reply.elapsedTime / 1000)
  })
  route('filter', 4 * MiB, body => filter(body, parts))
  route('prioritize', 4 * MiB, body => prioritize(body))
  route('preempt', 8 * MiB, body => preempt(body, parts))
  route('bind', 64 * 1024, (body, reply) => bind(body, parts, parts.underway.signalOf(reply)))
}

/** Undefined for what is no verb: health, metrics, unknown paths. */
function verbOf(request: FastifyRequest): Verb | undefined {
  const verb = request.routeOptions.url?.slice(1)
  return isVerb(verb) ? verb : undefined
}

function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}
