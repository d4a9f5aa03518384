import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { gangMetrics } from '../extender/gangs/metrics.ts'
import { kubernetesMetrics } from '../extender/kubernetes/metrics.ts'
import { Metrics as ActivatorMetrics } from '../extender/sandboxes/activator/metrics.ts'
import { eventMetrics } from '../extender/sandboxes/events/metrics.ts'
import { FrontDoorMetrics } from '../extender/sandboxes/global/metrics.ts'
import { sandboxMetrics } from '../extender/sandboxes/scheduler/metrics.ts'
import { processMetrics } from '../extender/telemetry/metrics.ts'
import { certificateExpiry } from '../extender/tls.ts'
import { verbMetrics } from '../extender/verbs/metrics.ts'

const registry = new Registry()

/** Every metric of muster, from where the process declares it: no dashboard and no alert spells a name itself. */
export const gangs = gangMetrics(registry)
export const kubernetes = kubernetesMetrics(registry)
export const verbs = verbMetrics(registry)
export const musterProcess = { ...processMetrics(registry, ''), certificateExpiry: certificateExpiry(registry) }

const services = new Registry()
/** Those of the services of the sandboxes, which are processes of their own. */
export const sandboxes = sandboxMetrics(services)
export const sandboxEvents = eventMetrics(services)
sandboxEvents.watch({ remembered: () => 0, queued: () => 0, dead: () => 0 })
export const activator = new ActivatorMetrics(services, { size: 0, bytes: 0 })
new FrontDoorMetrics(services).watch(services, { conditions: () => [], debts: () => 0 })

/** Of the services of the sandboxes: a metric that its file keeps to itself. */
export function sandboxCounter<Label extends string = never>(name: string): Counter<Label> {
  return declared(services, name, Counter<Label>)
}

export function sandboxGauge<Label extends string = never>(name: string): Gauge<Label> {
  return declared(services, name, Gauge<Label>)
}

/** A metric by whatever labels it has. */
export type Metric<Label extends string> = Counter<Label> | Gauge<Label> | Histogram<Label>

/** Of what prom-client tells of Node itself. */
export function nodeCounter(name: string): Counter {
  return declared(registry, name, Counter)
}

export function nodeGauge(name: string): Gauge {
  return declared(registry, name, Gauge)
}

export function nodeHistogram(name: string): Histogram {
  return declared(registry, name, Histogram)
}

function declared<Kind>(where: Registry, name: string, kind: abstract new (...args: never) => Kind): Kind {
  const metric: unknown = where.getSingleMetric(name)
  if (metric instanceof kind) return metric
  throw new Error(`no ${kind.name} is called ${name}`)
}

/** Under which name a metric is exported. */
export function nameOf<Label extends string>(metric: Metric<Label>): string {
  const all = [registry, services].flatMap(each => each.getMetricsAsArray())
  const found = all.find(each => Object.is(each, metric))
  if (found === undefined) throw new Error('a metric of another registry')
  return found.name
}

export type Exported = { readonly name: string; readonly help: string; readonly labels: readonly string[] }

/** All that muster exports, Node's own included. */
export function exportedMetrics(): readonly Exported[] {
  return toldBy(registry)
}

/** All that the services of the sandboxes export of their own, over all of them. */
export function exportedBySandboxes(): readonly Exported[] {
  return toldBy(services)
}

function toldBy(where: Registry): readonly Exported[] {
  return where.getMetricsAsArray().map(({ name, help, ...metric }) => ({ name, help, labels: labelsOf(metric) }))
}

/** prom-client keeps them beside what its types tell. */
function labelsOf(metric: object): readonly string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : []
}

/** What a first scrape would get. */
export function firstScrape(): Promise<string> {
  return registry.metrics()
}
