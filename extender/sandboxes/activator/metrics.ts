import { Counter, Gauge, type Registry } from 'prom-client'
import type { WaitingRoom } from './waiting-room.ts'

/** What became of a request before it went to a sandbox. */
export type Outcome = (typeof outcomes)[number]
const outcomes = ['sent', 'woken', 'full', 'refused', 'unreachable', 'nobody', 'left'] as const

/** Counts what goes through the activator. */
export class Metrics {
  readonly registry: Registry
  readonly requests: Counter<'outcome'>

  constructor(registry: Registry, room: Pick<WaitingRoom, 'size' | 'bytes'>) {
    this.registry = registry
    this.requests = new Counter({
      name: 'muster_activator_requests_total',
      help: 'Requests that came to the activator, by what became of them.',
      labelNames: ['outcome'] as const,
      registers: [registry]
    })
    // From zero on, so that a rate over the first increase is right.
    for (const outcome of outcomes) this.requests.inc({ outcome }, 0)
    gauge(registry, 'muster_activator_waiting_requests', 'Requests that wait for their sandbox.', () => room.size)
    gauge(
      registry,
      'muster_activator_waiting_bytes',
      'Bytes of requests that wait for their sandbox.',
      () => room.bytes
    )
  }

  count(outcome: Outcome): void {
    this.requests.inc({ outcome })
  }
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    ...{ name, help, registers: [registry] },
    collect() {
      this.set(value())
    }
  })
}
