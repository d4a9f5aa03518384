import { Counter, Gauge, type Registry } from 'prom-client'
import type { Condition } from '../../../policies/clusters.ts'
import type { Failure } from './failures.ts'

type Watched = {
  readonly conditions: () => Iterable<readonly [string, Condition]>
  readonly debts: () => number
}

/** What the front door counts. */
export class FrontDoorMetrics {
  readonly #placements: Counter<'cluster' | 'reason'>
  readonly #failures: Counter<'cluster' | 'kind'>
  readonly #storeErrors: Counter

  constructor(registry: Registry) {
    const registers = [registry]
    this.#placements = new Counter({
      name: 'muster_sandbox_placements_total',
      help: 'Creates that a cluster answered, by cluster and by how it was chosen.',
      labelNames: ['cluster', 'reason'] as const,
      registers
    })
    this.#failures = new Counter({
      name: 'muster_sandbox_cluster_failures_total',
      help: 'Calls to the scheduler of a cluster that it did not serve, by cluster and by what is known about them.',
      labelNames: ['cluster', 'kind'] as const,
      registers
    })
    this.#storeErrors = new Counter({
      name: 'muster_sandbox_placement_store_errors_total',
      help: 'Times that Redis did not serve and the memory of this process had to do.',
      registers
    })
  }

  placed(cluster: string, reason: string): void {
    this.#placements.inc({ cluster, reason })
  }

  failed(cluster: string, kind: Failure['kind']): void {
    this.#failures.inc({ cluster, kind })
  }

  storeFailed(): void {
    this.#storeErrors.inc()
  }

  /** Gauges that are read when they are asked for. */
  watch(registry: Registry, { conditions, debts }: Watched): void {
    const registers = [registry]
    new Gauge({
      name: 'muster_sandbox_cluster_healthy',
      help: '1 where the probes of a cluster go well.',
      labelNames: ['cluster'] as const,
      registers,
      collect() {
        for (const [cluster, { lostMs }] of conditions()) this.set({ cluster }, lostMs > 0 ? 0 : 1)
      }
    })
    new Gauge({
      name: 'muster_sandbox_cluster_ejected',
      help: '1 where a cluster is set aside after failures in a row.',
      labelNames: ['cluster'] as const,
      registers,
      collect() {
        for (const [cluster, { ejected }] of conditions()) this.set({ cluster }, ejected ? 1 : 0)
      }
    })
    new Gauge({
      name: 'muster_sandbox_releases_owed',
      help: 'Sandboxes that may be left on a cluster after a call of unknown end, and are yet to be released there.',
      registers,
      collect() {
        this.set(debts())
      }
    })
  }
}
