import { Counter, Gauge, type Registry } from 'prom-client'

const published = ['accepted', 'duplicate', 'refused', 'failed'] as const
const attempts = ['delivered', 'failed', 'throttled', 'gone'] as const
const hooks = ['done', 'failed', 'dropped'] as const

/** What the events service counts. All label values come from closed sets. */
export type EventMetrics = {
  readonly published: Counter<'result'>
  readonly readers: Gauge
  readonly gaps: Counter
  readonly attempts: Counter<'result'>
  readonly lost: Counter
  readonly hooks: Counter<'result'>
  readonly storeFailures: Counter
  /** Shows how much there is at every scrape. */
  watch(sizes: Sizes): void
}

/** What is kept now. */
export type Sizes = { readonly remembered: () => number; readonly queued: () => number; readonly dead: () => number }

/** Every metric of the events service, on the registry that the process exports. */
export function eventMetrics(registry: Registry): EventMetrics {
  const registers = [registry]
  const counters = {
    published: new Counter({
      name: 'muster_sandbox_events_published_total',
      help: 'Events that were sent in: accepted, known already, refused as wrong, or failed for want of the store.',
      labelNames: ['result'] as const,
      registers
    }),
    attempts: new Counter({
      name: 'muster_sandbox_events_webhook_attempts_total',
      help: 'Attempts to deliver to webhooks, by how they ended.',
      labelNames: ['result'] as const,
      registers
    }),
    hooks: new Counter({
      name: 'muster_sandbox_events_hook_calls_total',
      help: 'Calls of hooks: done, failed, or dropped because too many are under way.',
      labelNames: ['result'] as const,
      registers
    })
  }
  // From zero on, so that a rate over the first increase is right.
  for (const result of published) counters.published.inc({ result }, 0)
  for (const result of attempts) counters.attempts.inc({ result }, 0)
  for (const result of hooks) counters.hooks.inc({ result }, 0)
  return {
    ...counters,
    readers: new Gauge({ name: 'muster_sandbox_events_readers', help: 'Live streams that are open.', registers }),
    gaps: new Counter({
      name: 'muster_sandbox_events_gaps_total',
      help: 'Times that a reader was told that events are missing.',
      registers
    }),
    lost: new Counter({
      name: 'muster_sandbox_events_dead_letters_dropped_total',
      help: 'Dead letters that were dropped, because there were too many.',
      registers
    }),
    storeFailures: new Counter({
      name: 'muster_sandbox_events_store_failures_total',
      help: 'Writes to the store that failed; after a restart, a delivery may then come again.',
      registers
    }),
    watch: sizes => gauges(registry, sizes)
  }
}

function gauges(registry: Registry, { remembered, queued, dead }: Sizes): void {
  const registers = [registry]
  new Gauge({
    name: 'muster_sandbox_events_remembered',
    help: 'Events that readers can still ask for.',
    registers,
    collect() {
      this.set(remembered())
    }
  })
  new Gauge({
    name: 'muster_sandbox_events_webhook_queue',
    help: 'Deliveries to webhooks that wait for their next attempt or are under way.',
    registers,
    collect() {
      this.set(queued())
    }
  })
  new Gauge({
    name: 'muster_sandbox_events_dead_letters',
    help: 'Deliveries that were given up and can be replayed.',
    registers,
    collect() {
      this.set(dead())
    }
  })
}
