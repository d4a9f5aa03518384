import { Counter, Gauge, type Registry } from 'prom-client'

/** What a reflector tells the scrape about itself. */
export type CacheView = { readonly synced: boolean; staleness(): number }

const bindResults = ['bound', 'gone', 'elsewhere', 'refused', 'unknown', 'late'] as const
const writeResults = ['done', 'gone', 'conflict', 'failed'] as const
const eventResults = ['recorded', 'dropped', 'failed'] as const

/** The metrics of this folder. All label values come from closed sets. */
export type KubernetesMetrics = {
  readonly requests: Counter<'verb' | 'resource' | 'code'>
  readonly binds: Counter<'result'>
  readonly unknownOutcomes: Counter
  readonly nominations: Counter<'result'>
  readonly evictions: Counter<'result'>
  readonly events: Counter<'result'>
  readonly cacheSynced: Gauge<'resource'>
  readonly cacheStaleness: Gauge<'resource'>
  /** Shows a cache under this resource name at every scrape. */
  watchCache(resource: string, cache: CacheView): void
}

/** Declares the metrics on that registry; once per registry. */
export function kubernetesMetrics(registry: Registry): KubernetesMetrics {
  const registers = [registry]
  const binds = new Counter({
    name: 'muster_binds_total',
    help: 'Bindings asked of the API server, by how they ended.',
    labelNames: ['result'] as const,
    registers
  })
  const nominations = new Counter({
    name: 'muster_nominations_total',
    help: 'Nominations set or cleared, by how they ended.',
    labelNames: ['result'] as const,
    registers
  })
  const evictions = new Counter({
    name: 'muster_evictions_total',
    help: 'Evictions asked of the API server, by how they ended.',
    labelNames: ['result'] as const,
    registers
  })
  const events = new Counter({
    name: 'muster_events_total',
    help: 'Kubernetes Events recorded, dropped for want of room, or failed.',
    labelNames: ['result'] as const,
    registers
  })
  // From zero on, so that a rate over the first increase is right.
  for (const result of bindResults) binds.inc({ result }, 0)
  for (const result of writeResults) {
    nominations.inc({ result }, 0)
    evictions.inc({ result }, 0)
  }
  evictions.inc({ result: 'refused' }, 0)
  for (const result of eventResults) events.inc({ result }, 0)
  return {
    binds,
    nominations,
    evictions,
    events,
    unknownOutcomes: new Counter({
      name: 'muster_unknown_outcomes_total',
      help: 'Bindings whose answer was lost, so that the pod had to be looked at.',
      registers
    }),
    requests: new Counter({
      name: 'muster_apiserver_requests_total',
      help: 'Requests to the API server; code is "error" where no complete answer came.',
      labelNames: ['verb', 'resource', 'code'] as const,
      registers
    }),
    ...cacheGauges(registry)
  }
}

function cacheGauges(registry: Registry): Pick<KubernetesMetrics, 'cacheSynced' | 'cacheStaleness' | 'watchCache'> {
  const caches = new Map<string, CacheView>()
  const cacheSynced = new Gauge({
    name: 'muster_cache_synced',
    help: '1 once the first list of the resource is complete.',
    labelNames: ['resource'] as const,
    registers: [registry],
    collect() {
      for (const [resource, cache] of caches) this.set({ resource }, cache.synced ? 1 : 0)
    }
  })
  const cacheStaleness = new Gauge({
    name: 'muster_cache_staleness_seconds',
    help: 'Seconds since the API server last sent anything for the resource.',
    labelNames: ['resource'] as const,
    registers: [registry],
    collect() {
      for (const [resource, cache] of caches) this.set({ resource }, cache.staleness() / 1000)
    }
  })
  const watchCache = (resource: string, cache: CacheView): void => void caches.set(resource, cache)
  return { cacheSynced, cacheStaleness, watchCache }
}
