import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const results = ['created', 'replayed', 'joined', 'refused'] as const
const reasons = ['RELEASED', 'EXPIRED', 'FAILED'] as const
const launches = ['WARM', 'PLACEHOLDER', 'COLD'] as const
const publications = ['done', 'failed', 'dead_letter'] as const

export type PoolCount = {
  readonly template: string
  readonly state: 'ready' | 'starting' | 'placeholder' | 'placeholder_starting'
  readonly count: number
}

/** The metrics of this folder. All label values come from closed sets. */
export type SandboxMetrics = {
  readonly creates: Counter<'result'>
  readonly createSeconds: Histogram
  readonly readySeconds: Histogram<'launch'>
  readonly launches: Counter<'launch'>
  readonly poolErrors: Counter<'template'>
  readonly terminated: Counter<'reason' | 'code'>
  readonly degraded: Counter<'operation'>
  readonly publications: Counter<'result'>
  /** Shows how many there are at every scrape. */
  watchLive(count: () => { readonly pending: number; readonly ready: number }): void
  watchPools(count: () => readonly PoolCount[]): void
}

/** Declares the metrics on that registry; once per registry. */
export function sandboxMetrics(registry: Registry): SandboxMetrics {
  const registers = [registry]
  const metrics = {
    creates: new Counter({
      name: 'muster_sandbox_creates_total',
      help: 'Requests for a sandbox: created, answered from before, joined to one under way, or refused.',
      labelNames: ['result'] as const,
      registers
    }),
    launches: new Counter({
      name: 'muster_sandbox_launches_total',
      help: 'Sandboxes that got their pod: a warm one, one in the room of a placeholder, or one made from nothing.',
      labelNames: ['launch'] as const,
      registers
    }),
    poolErrors: new Counter({
      name: 'muster_sandbox_pool_errors_total',
      help: 'Times that a pool could not be kept full: a write was refused, or a pod of it ended by itself.',
      labelNames: ['template'] as const,
      registers
    }),
    terminated: new Counter({
      name: 'muster_sandbox_terminated_total',
      help: 'Sandboxes that this process ended, by reason; code is empty where they did not fail.',
      labelNames: ['reason', 'code'] as const,
      registers
    }),
    degraded: new Counter({
      name: 'muster_sandbox_idempotence_degraded_total',
      help: 'Times that the idempotence store did not answer, so that the API server alone decided.',
      labelNames: ['operation'] as const,
      registers
    }),
    publications: new Counter({
      name: 'muster_sandbox_event_publications_total',
      help: 'Attempts to publish the end of a sandbox; a dead letter was given up.',
      labelNames: ['result'] as const,
      registers
    }),
    createSeconds: new Histogram({
      name: 'muster_sandbox_create_duration_seconds',
      help: 'Time to answer a request for a sandbox that was made anew.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers
    }),
    readySeconds: new Histogram({
      name: 'muster_sandbox_ready_duration_seconds',
      help: 'Time from the request to the moment when the sandbox was seen ready.',
      labelNames: ['launch'] as const,
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
      registers
    }),
    watchLive: liveGauge(registry),
    watchPools: poolGauge(registry)
  }
  // From zero on, so that a rate over the first increase is right.
  for (const result of results) metrics.creates.inc({ result }, 0)
  for (const reason of reasons) metrics.terminated.inc({ reason, code: '' }, 0)
  for (const launch of launches) metrics.launches.inc({ launch }, 0)
  for (const result of publications) metrics.publications.inc({ result }, 0)
  return metrics
}

function poolGauge(registry: Registry): SandboxMetrics['watchPools'] {
  const source: { count: () => readonly PoolCount[] } = { count: () => [] }
  new Gauge({
    name: 'muster_sandbox_pool_pods',
    help: 'Pods made ahead of need that no sandbox has yet, by template and state.',
    labelNames: ['template', 'state'] as const,
    registers: [registry],
    collect() {
      this.reset()
      for (const { template, state, count } of source.count()) this.set({ template, state }, count)
    }
  })
  return count => Object.assign(source, { count })
}

function liveGauge(registry: Registry): SandboxMetrics['watchLive'] {
  const source = { count: () => ({ pending: 0, ready: 0 }) }
  new Gauge({
    name: 'muster_sandbox_live',
    help: 'Sandboxes that have not ended, by state.',
    labelNames: ['state'] as const,
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(source.count())) this.set({ state }, count)
    }
  })
  return count => Object.assign(source, { count })
}
