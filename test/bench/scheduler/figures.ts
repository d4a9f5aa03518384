import type { Usage } from '../processes.ts'
import { type Exposition, quantile } from './exposition.ts'
import type { Load } from './loads.ts'
import { percentile } from './statistics.ts'

/** What one run showed. */
export type Figures = {
  /** From kube-scheduler's start, with all pods there, to the last binding. */
  readonly seconds: number
  /** Scheduled, by kube-scheduler's own count, a second. */
  readonly podsPerSecond: number
  /** From that start until a gang stood whole. */
  readonly gangSeconds: { readonly p50: number; readonly p99: number }
  /** Time in kube-scheduler's loop for each pod, failed attempts included. */
  readonly loopMs: number
  readonly attemptsPerPod: number
  readonly writesPerPod: Writes
  /** As muster has timed its answers; absent where nobody is asked. */
  readonly filterMs?: Percentiles
  readonly bindMs?: Percentiles
  /** CPU seconds from start to last binding, and MiB at the end, by process. */
  readonly cpu: Readonly<Record<string, number>>
  readonly rss: Readonly<Record<string, number>>
}

type Percentiles = { readonly p50: number; readonly p99: number }
/** On pods: bindings, patches of the status, other patches; and events. */
type Writes = { readonly bindings: number; readonly status: number; readonly other: number; readonly events: number }

/** What was seen in one run. */
export type Sightings = {
  readonly load: Load
  /** Monotonic milliseconds. */
  readonly startedAt: number
  /** Pod → when its node was seen. */
  readonly arrivals: ReadonlyMap<string, number>
  readonly scheduler: Exposition
  readonly extender: Exposition | undefined
  readonly api: { readonly before: Exposition; readonly after: Exposition }
  readonly usage: Readonly<Record<string, { readonly before: Usage; readonly after: Usage }>>
}

/** The figures of one run. */
export function figuresOf({ load, startedAt, arrivals, scheduler, extender, api, usage }: Sightings): Figures {
  const seconds = (Math.max(...arrivals.values()) - startedAt) / 1000
  const whole = wholeAt(arrivals).map(at => (at - startedAt) / 1000)
  const [filterMs, bindMs] = ['filter', 'bind'].map(verb => extender && timesOf(extender, verb))
  const attempts = 'scheduler_schedule_attempts_total'
  return {
    seconds,
    podsPerSecond: scheduler.sum(attempts, { result: 'scheduled' }) / seconds,
    gangSeconds: { p50: percentile(whole, 0.5), p99: percentile(whole, 0.99) },
    loopMs: (scheduler.sum('scheduler_scheduling_algorithm_duration_seconds_sum') * 1000) / load.pods,
    attemptsPerPod: scheduler.sum(attempts) / load.pods,
    writesPerPod: writesOf(api.before, api.after, load.pods),
    ...(filterMs && { filterMs }),
    ...(bindMs && { bindMs }),
    cpu: each(usage, ({ before, after }) => after.cpu - before.cpu),
    rss: each(usage, ({ after }) => after.rss)
  }
}

/** When the last member of each gang got its node; members are named after their gang. */
function wholeAt(arrivals: ReadonlyMap<string, number>): readonly number[] {
  const last = new Map<string, number>()
  for (const [pod, at] of arrivals) {
    const gang = pod.slice(0, pod.lastIndexOf('-'))
    last.set(gang, Math.max(at, last.get(gang) ?? 0))
  }
  return [...last.values()]
}

function timesOf(extender: Exposition, verb: string): Percentiles | undefined {
  const histogram = extender.histogram('muster_request_duration_seconds', { verb })
  const [p50, p99] = [0.5, 0.99].map(q => quantile(histogram, q))
  return p50 === undefined || p99 === undefined ? undefined : { p50: p50 * 1000, p99: p99 * 1000 }
}

/** Every write that the API server has answered, whoever made it. */
function writesOf(before: Exposition, after: Exposition, pods: number): Writes {
  const made = (labels: Readonly<Record<string, string>>): number => {
    const count = (at: Exposition): number =>
      ['POST', 'PUT', 'PATCH'].reduce((sum, verb) => sum + at.sum('apiserver_request_total', { ...labels, verb }), 0)
    return (count(after) - count(before)) / pods
  }
  const on = (subresource: string): number => made({ resource: 'pods', subresource })
  return { bindings: on('binding'), status: on('status'), other: on(''), events: made({ resource: 'events' }) }
}

function each<T>(record: Readonly<Record<string, T>>, figure: (one: T) => number): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(record).map(([name, one]) => [name, figure(one)]))
}
