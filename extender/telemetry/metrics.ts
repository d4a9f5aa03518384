import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, type Registry } from 'prom-client'

/** GET /metrics. */
export function metricsRoute(app: FastifyInstance, registry: Registry): void {
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
}

/** Of our own making; what prom-client knows of a Node process comes on top. */
export type ProcessMetrics = {
  readonly buildInfo: Gauge<'version'>
  readonly eventLoopDelay: Gauge
  readonly spans: Counter<'result'>
}

/** What the process tells about itself, on top of what each part counts. */
export function processMetrics(registry: Registry, version: string): ProcessMetrics {
  collectDefaultMetrics({ register: registry })
  // Gauges that end in _total: promtool calls them misnamed, and nobody has asked for them.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  const buildInfo = new Gauge({
    name: 'muster_build_info',
    help: 'Always 1; the label tells the version.',
    labelNames: ['version'] as const,
    registers: [registry]
  })
  buildInfo.set({ version }, 1)
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const eventLoopDelay = new Gauge({
    name: 'muster_event_loop_delay_seconds',
    help: 'Longest delay of the event loop since the last scrape.',
    registers: [registry],
    collect() {
      this.set(Math.max(0, delay.max) / 1e9)
      delay.reset()
    }
  })
  const spans = new Counter({
    name: 'muster_spans_total',
    help: 'Spans for the collector of traces: exported, failed, or dropped because too many waited.',
    labelNames: ['result'] as const,
    registers: [registry]
  })
  for (const result of ['exported', 'failed', 'dropped']) spans.inc({ result }, 0)
  return { buildInfo, eventLoopDelay, spans }
}
