import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { object, text } from '../../extender/json.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'
import type { ApiTruth } from './api-truth.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import type { Process } from './process.ts'

export const lease = { namespace: 'a', name: 'muster', durationMs: 15_000 }
const resource = 'leases.coordination.k8s.io'
const retryMs = 3_000
const renewDeadlineMs = 10_000

export type ElectorParts = {
  readonly truth: ApiTruth
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly faults: Faults
  readonly process: Process
  /** `HOST_UUID`, as kube-scheduler names itself. */
  readonly identity: string
  /** Told when it has the lease, and when it has given up renewing it. */
  readonly changed: (leads: boolean) => void
  /** Told of each renewal when the API server carries it out. */
  readonly renewed: () => void
}

/** kube-scheduler's leader election as client-go does it: whoever renews leads, and a Lease that is not renewed for its duration is taken. */
export class Elector {
  readonly process: Process
  readonly #parts: ElectorParts
  #leads = false
  /** When its last renewal was answered. */
  #renewedAt = 0
  /** The version of the Lease that it has seen last, and when it came to see it. */
  #seen = { version: '', at: 0 }

  constructor(parts: ElectorParts) {
    this.#parts = parts
    this.process = parts.process
    this.#tick()
  }

  /** On its way out it gives the lease back. */
  release(): void {
    const current = this.#current()
    if (current && holderOf(current) === this.#parts.identity) this.#write(current, '')
  }

  #tick(): void {
    const { clock, chance, faults, process, changed } = this.#parts
    if (this.#leads && clock.now() - this.#renewedAt >= renewDeadlineMs) {
      this.#leads = false
      changed(false)
      return
    }
    clock.after(faults.latency(), () => {
      if (faults.away || chance.is(faults.writes) || !this.#acquire()) return
      clock.after(faults.latency(), () => process.hears(() => this.#acquired()))
    })
    process.clock.after(retryMs, () => this.#tick())
  }

  #acquired(): void {
    this.#renewedAt = this.#parts.clock.now()
    if (this.#leads) return
    this.#leads = true
    this.#parts.changed(true)
  }

  /** Whether the API server has let it have the Lease. */
  #acquire(): boolean {
    const { clock, identity, renewed, process } = this.#parts
    // What has left a process that ends is as if it had not.
    if (!process.isAlive) return false
    const current = this.#current()
    const version = current?.metadata.resourceVersion ?? ''
    if (version !== this.#seen.version) this.#seen = { version, at: clock.now() }
    const holder = current ? holderOf(current) : ''
    const isFree = holder === '' || holder === identity || clock.now() - this.#seen.at >= lease.durationMs
    if (!isFree) return false
    this.#write(current, identity)
    renewed()
    return true
  }

  #current(): KubeObject | undefined {
    return this.#parts.truth.api.get({ resource, ...lease })
  }

  #write(current: KubeObject | undefined, holder: string): void {
    const { truth, clock } = this.#parts
    const spec = object(current?.spec)
    const changes = current && holder !== holderOf(current) && holder !== '' ? 1 : 0
    const next = {
      ...{ holderIdentity: holder, leaseDurationSeconds: lease.durationMs / 1_000 },
      leaseTransitions: Number(spec.leaseTransitions ?? 0) + changes,
      renewTime: new Date(clock.wall()).toISOString().replace('Z', '000Z')
    }
    const metadata = { namespace: lease.namespace, name: lease.name }
    if (current) truth.api.patch({ resource, ...metadata }, { spec: next }, { type: 'merge' })
    else truth.api.create(resource, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: next })
  }
}

const holderOf = (current: KubeObject): string => text(object(current.spec).holderIdentity) ?? ''
