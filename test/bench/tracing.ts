import Fastify, { type FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { systemClock } from '../../extender/clock.ts'
import { processMetrics } from '../../extender/telemetry/metrics.ts'
import { tracing } from '../../extender/telemetry/tracing.ts'
import type { Call } from '../../extender/verbs/ports.ts'
import { verbRoutes } from '../../extender/verbs/routes.ts'
import { argsBody } from '../verbs/bodies.ts'
import { recorded } from '../verbs/recording-gangs.ts'

const rounds = 8
const calls = 500
const nodes = Array.from({ length: 500 }, (_, index) => `node-${index}`)

/** What tracing costs a filter call over 500 names: without it, with the usual share, and with every call traced. */
export async function tracingCost(): Promise<readonly string[]> {
  const variants = { off: await app(undefined), '1 %': await app(0.01), '100 %': await app(1) }
  const micros = new Map(Object.keys(variants).map(name => [name, [] as number[]]))
  // The first round warms up; then they take turns, so that a busy machine is busy for all.
  for (let round = 0; round <= rounds; round++)
    for (const [name, each] of Object.entries(variants)) {
      const took = await filters(each)
      if (round > 0) micros.get(name)?.push(took)
    }
  const median = (name: string): number => micros.get(name)?.toSorted((a, b) => a - b)[rounds / 2] ?? Number.NaN
  const rows = Object.keys(variants).map(
    name => `| ${name} | ${median(name).toFixed(0)} | ${(median(name) / median('off')).toFixed(2)} |`
  )
  return ['| traced | µs per filter call, median | ratio |', '|---|---|---|', ...rows]
}

async function app(ratio: number | undefined): Promise<FastifyInstance> {
  const fastify = Fastify()
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  const registry = new Registry()
  const { spans } = processMetrics(registry, 'bench')
  // Nobody listens there: what is measured is the call, not the collector.
  const traces = ratio === undefined ? undefined : { url: 'http://127.0.0.1:1/v1/traces', ratio }
  const told = { version: '1', instance: 'bench', clock: systemClock, random: Math.random, spans }
  const tracer = await tracing({ traces, ...told })
  const parts = { ...recorded(), tracer: tracer && { called: (call: Call) => tracer.called(call, () => undefined) } }
  verbRoutes(fastify, parts, registry)
  await fastify.ready()
  return fastify
}

/** Microseconds of one call. */
async function filters(fastify: FastifyInstance): Promise<number> {
  const payload = argsBody(nodes)
  const from = performance.now()
  for (let call = 0; call < calls; call++)
    await fastify.inject({ method: 'POST', url: '/filter', headers: { 'content-type': 'application/json' }, payload })
  return ((performance.now() - from) * 1_000) / calls
}
