import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { gangStates } from './membership/gang.ts'

const seconds = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first * 2 ** i)

/** What the gangs count and measure. */
export type GangMetrics = {
  readonly gangs: Gauge<'state'>
  readonly transitions: Counter<'to'>
  readonly holds: Gauge
  readonly heldRatio: Gauge<'resource'>
  readonly holdExpirations: Counter
  readonly planDuration: Histogram<'outcome'>
  readonly barrierWait: Histogram
  readonly barriers: Counter<'outcome'>
  readonly startDuration: Histogram
  readonly placementDuration: Histogram
  readonly partial: Gauge
  readonly oldestPartial: Gauge
  readonly violations: Counter<'invariant'>
  readonly preemptions: Counter<'outcome'>
  readonly consolidations: Counter<'outcome'>
  readonly victims: Counter<'outcome'>
  readonly wastedEvictions: Counter
  readonly reinitializations: Counter
  readonly active: Gauge
  readonly epoch: Gauge
  readonly rebuildDuration: Gauge
  /** Who fills the gauges at a scrape from now on; they stay as they are while nobody does. */
  collectFrom(collect: (() => void) | undefined): void
}

/** Every metric of the gangs, on the registry that the process exports. */
export function gangMetrics(registry: Registry): GangMetrics {
  const registers = [registry]
  let collect: (() => void) | undefined
  const metrics: GangMetrics = {
    collectFrom: next => {
      collect = next
    },
    reinitializations: new Counter({
      name: 'muster_reinitializations_total',
      help: 'How often an unexpected error made muster throw its logic and caches away and read everything anew.',
      registers
    }),
    active: new Gauge({
      name: 'muster_active',
      help: '1 while this muster decides; 0 while it reads the cluster, at the start or to begin anew.',
      registers
    }),
    epoch: new Gauge({
      name: 'muster_epoch',
      help: 'Grows whenever another life of muster decides: when it began, in milliseconds since 1970.',
      registers
    }),
    rebuildDuration: new Gauge({
      name: 'muster_rebuild_duration_seconds',
      help: 'Time from the start, or from beginning anew, to the moment when everything was listed and taken over.',
      registers
    }),
    gangs: new Gauge({
      name: 'muster_gangs',
      help: 'Gangs by state.',
      labelNames: ['state'] as const,
      registers,
      // One scrape fills all gauges: this one comes first.
      collect: () => collect?.()
    }),
    transitions: new Counter({
      name: 'muster_gang_transitions_total',
      help: 'Changes of a gang to this state.',
      labelNames: ['to'] as const,
      registers
    }),
    holds: new Gauge({ name: 'muster_holds', help: 'Gangs for which room is held.', registers }),
    heldRatio: new Gauge({
      name: 'muster_held_ratio',
      help: 'Share of all allocatable room that is held for gangs, by resource.',
      labelNames: ['resource'] as const,
      registers
    }),
    holdExpirations: new Counter({
      name: 'muster_hold_expirations_total',
      help: 'Holds that ended because their members did not start in time.',
      registers
    }),
    planDuration: new Histogram({
      name: 'muster_plan_duration_seconds',
      help: 'Time to plan one gang, by outcome.',
      labelNames: ['outcome'] as const,
      buckets: seconds(0.0001, 14),
      registers
    }),
    barrierWait: new Histogram({
      name: 'muster_barrier_wait_seconds',
      help: 'Time that a member waited for the rest of its quorum at bind.',
      buckets: seconds(0.001, 16),
      registers
    }),
    barriers: new Counter({
      name: 'muster_barriers_total',
      help: 'Barriers by how they ended.',
      labelNames: ['outcome'] as const,
      registers
    }),
    startDuration: new Histogram({
      name: 'muster_gang_start_duration_seconds',
      help: "From a gang's last member's creation to the binding that completed its quorum.",
      buckets: seconds(0.05, 16),
      registers
    }),
    placementDuration: new Histogram({
      name: 'muster_gang_placement_duration_seconds',
      help: "From the moment when a gang's room was held and free to the binding that completed its quorum.",
      // 30 is the bound of the service level objective in grafana/.
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300],
      registers
    }),
    partial: new Gauge({
      name: 'muster_partial_gangs',
      help: 'Gangs with some members on nodes, but fewer than minMember.',
      registers
    }),
    oldestPartial: new Gauge({
      name: 'muster_oldest_partial_gang_seconds',
      help: 'For how long the oldest of the partial gangs has been partial.',
      registers
    }),
    violations: new Counter({
      name: 'muster_invariant_violations_total',
      help: 'Promises of muster to itself that did not hold; anything above 0 is a bug.',
      labelNames: ['invariant'] as const,
      registers
    }),
    preemptions: new Counter({
      name: 'muster_preemptions_total',
      help: 'Plans that evict pods: made, started on the freed room, or given up after evictions.',
      labelNames: ['outcome'] as const,
      registers
    }),
    consolidations: new Counter({
      name: 'muster_consolidations_total',
      help: 'Plans that move pods marked movable: made, started on the freed room, or given up after evictions.',
      labelNames: ['outcome'] as const,
      registers
    }),
    victims: new Counter({
      name: 'muster_victims_total',
      help: 'Evictions for gangs, of lower priority or marked movable, by how they ended.',
      labelNames: ['outcome'] as const,
      registers
    }),
    wastedEvictions: new Counter({
      name: 'muster_wasted_evictions_total',
      help: 'Pods that were evicted for a plan that was given up before its gang started.',
      registers
    })
  }
  initialise(metrics)
  return metrics
}

/** Closed label sets start at 0, so that a rate over them is defined from the first scrape. */
function initialise(metrics: GangMetrics): void {
  for (const state of gangStates) {
    metrics.gangs.set({ state }, 0)
    metrics.transitions.inc({ to: state }, 0)
  }
  for (const outcome of ['planned', 'infeasible', 'unknown']) metrics.planDuration.zero({ outcome })
  for (const outcome of ['opened', 'failed', 'timeout']) metrics.barriers.inc({ outcome }, 0)
  for (const outcome of ['planned', 'completed', 'withdrawn']) {
    metrics.preemptions.inc({ outcome }, 0)
    metrics.consolidations.inc({ outcome }, 0)
  }
  for (const outcome of ['done', 'gone', 'conflict', 'refused', 'failed']) metrics.victims.inc({ outcome }, 0)
  for (const invariant of ['I1', 'I4', 'I5', 'I6']) metrics.violations.inc({ invariant }, 0)
}
