import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Answer } from './answer.ts'
import { bind } from './bind.ts'
import { filter } from './filter.ts'
import type { VerbParts } from './ports.ts'
import { preempt } from './preempt.ts'
import { prioritize } from './prioritize.ts'

const MiB = 1024 ** 2

/** The four verbs as kube-scheduler calls them, counted and timed. */
export function verbRoutes(app: FastifyInstance, parts: VerbParts, registry: Registry): void {
  const { requests, duration } = metrics(registry)
  const route = (
    verb: string,
    bodyLimit: number,
    handle: (body: Buffer, reply: FastifyReply) => Answer | Promise<Answer>
  ): void => {
    app.post(`/${verb}`, { bodyLimit }, async (request, reply) => {
      const { outcome, json, status = 200 } = await handle(bodyOf(request), reply)
      requests.inc({ verb, outcome })
      return reply.code(status).type('application/json').send(json)
    })
  }
  app.addHook('onError', async (request, _reply, { statusCode = 500 }) => {
    const verb = verbOf(request)
    if (verb !== undefined) requests.inc({ verb, outcome: statusCode < 500 ? 'invalid' : 'error' })
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

const verbs: ReadonlySet<string> = new Set(['filter', 'prioritize', 'preempt', 'bind'])

/** Undefined for what is no verb: health, metrics, unknown paths. */
function verbOf(request: FastifyRequest): string | undefined {
  const verb = request.routeOptions.url?.slice(1)
  return verb !== undefined && verbs.has(verb) ? verb : undefined
}

function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}

function metrics(registry: Registry) {
  const requests = new Counter({
    name: 'muster_requests_total',
    help: 'Calls of kube-scheduler, by verb and by how they were answered.',
    labelNames: ['verb', 'outcome'] as const,
    registers: [registry]
  })
  const duration = new Histogram({
    name: 'muster_request_duration_seconds',
    help: 'Time to answer a call of kube-scheduler, by verb; at bind this includes the barrier.',
    labelNames: ['verb'] as const,
    buckets: [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1, 2, 4, 8, 16, 32],
    registers: [registry]
  })
  return { requests, duration }
}
