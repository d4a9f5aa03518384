import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { gangMetrics } from '../extender/gangs/metrics.ts'
import { kubernetesMetrics } from '../extender/kubernetes/metrics.ts'
import { processMetrics } from '../extender/telemetry/metrics.ts'
import { certificateExpiry } from '../extender/tls.ts'
import { verbMetrics } from '../extender/verbs/metrics.ts'

const registry = new Registry()

/** Every metric of muster, from where the process declares it: no dashboard and no alert spells a name itself. */
export const gangs = gangMetrics(registry)
export const kubernetes = kubernetesMetrics(registry)
export const verbs = verbMetrics(registry)
export const musterProcess = { ...processMetrics(registry, ''), certificateExpiry: certificateExpiry(registry) }

/** A metric by whatever labels it has. */
export type Metric<Label extends string> = Counter<Label> | Gauge<Label> | Histogram<Label>

/** Of what prom-client tells of Node itself. */
export function nodeCounter(name: string): Counter {
  return ofNode(name, Counter)
}

export function nodeGauge(name: string): Gauge {
  return ofNode(name, Gauge)
}

export function nodeHistogram(name: string): Histogram {
  return ofNode(name, Histogram)
}

function ofNode<Kind>(name: string, kind: abstract new (...args: never) => Kind): Kind {
  const metric: unknown = registry.getSingleMetric(name)
  if (metric instanceof kind) return metric
  throw new Error(`no ${kind.name} is called ${name}`)
}

/** Under which name a metric is exported. */
export function nameOf<Label extends string>(metric: Metric<Label>): string {
  const found = registry.getMetricsAsArray().find(each => Object.is(each, metric))
  if (found === undefined) throw new Error('a metric of another registry')
  return found.name
}

/** All that is exported, Node's own included. */
export function exportedMetrics(): readonly { name: string; help: string; labels: readonly string[] }[] {
  return registry.getMetricsAsArray().map(({ name, help, ...metric }) => ({ name, help, labels: labelsOf(metric) }))
}

/** prom-client keeps them beside what its types tell. */
function labelsOf(metric: object): readonly string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : []
}

/** What a first scrape would get. */
export function firstScrape(): Promise<string> {
  return registry.metrics()
}
