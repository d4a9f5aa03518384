import type { ServiceImpl } from '@connectrpc/connect'
import type { Registry } from 'prom-client'
import type { Clock, Random } from '../../clock.ts'
import type { IdempotenceStore } from '../idempotence-store.ts'
import type { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { sandboxOf } from './answer.ts'
import type { Claim, Ended } from './claim.ts'
import { Claimer } from './claimer.ts'
import { Claims } from './claims.ts'
import { Clearing } from './clearing.ts'
import { Creator } from './creator.ts'
import { endedOf } from './decision.ts'
import { Hub } from './hub.ts'
import { Keeper } from './keeper.ts'
import { Keys } from './keys.ts'
import { Launcher } from './launcher.ts'
import { Lifetimes } from './lifetimes.ts'
import { type SandboxMetrics, sandboxMetrics } from './metrics.ts'
import { Outbox } from './outbox.ts'
import type { Configure, Kubernetes, Log, Publisher, Settings } from './ports.ts'
import { openPools } from './pool/open.ts'
import { Record } from './record.ts'
import { schedulerService } from './service.ts'
import type { Templates } from './templates.ts'

export type SchedulerParts = {
  readonly kubernetes: Kubernetes
  readonly store: IdempotenceStore
  /** Absent: nobody is told of the end of sandboxes, and no finalizer keeps them. */
  readonly publisher?: Publisher
  readonly templates: Templates
  readonly configure: Configure
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly registry: Registry
  readonly settings: Settings
}

export type SandboxScheduler = {
  readonly service: ServiceImpl<typeof SchedulerService>
  readonly checks: readonly { readonly name: string; readonly problem: () => string | undefined }[]
  stop(): Promise<void>
}

/** The scheduler of one cluster's sandboxes, at work from now on: all that it needs to know it reads from the cluster. */
export function openScheduler(given: SchedulerParts): SandboxScheduler {
  const { kubernetes, store, clock, log, settings, publisher, registry } = given
  const ending = new AbortController()
  const metrics = sandboxMetrics(registry)
  const [claims, hub] = [new Claims(log), new Hub()]
  const keys = new Keys({ store, metrics, settings })
  const parts = { ...given, metrics, claims, hub, keys, record: new Record({ kubernetes, claims, clock }) }
  const outbox = publisher && new Outbox({ ...parts, publisher, ending: ending.signal })
  const pools = openPools({ ...parts, listed: () => claims.listed.pods })
  const launcher = new Launcher({ ...parts, adopter: pools.adopter })
  const keeper = new Keeper({ ...parts, launcher, clearing: new Clearing({ ...parts, outbox }) })
  const claimer = new Claimer({ ...parts, withEvents: outbox !== undefined })
  const creator = new Creator({ ...parts, launcher, claimer })
  const teller = new Teller({ claims, hub, keys, keeper, metrics, clock, settings })
  claims.follow(kubernetes, (id, gone) => teller.changed(id, gone), pools.follower)
  keeper.start()
  const listed = (): string | undefined =>
    claims.listed.services && claims.listed.pods ? undefined : 'sandboxes are not listed yet'
  return {
    service: schedulerService({ ...parts, creator, lifetimes: new Lifetimes({ ...parts, keeper }) }),
    checks: [{ name: 'sandboxes', problem: listed }],
    async stop() {
      ending.abort()
      keeper.stop()
      pools.stop()
      await claims.stop()
    }
  }
}

type TellerParts = {
  readonly claims: Claims
  readonly hub: Hub
  readonly keys: Keys
  readonly keeper: Keeper
  readonly metrics: SandboxMetrics
  readonly clock: Clock
  readonly settings: Settings
}

/** Passes on what changes: to the keeper, to those who watch, to the metrics. */
class Teller {
  readonly #parts: TellerParts
  /** Uids of which it was said that they became ready, or that they have ended, as long as they are there. */
  readonly #ready = new Set<string>()
  readonly #ended = new Set<string>()

  constructor(parts: TellerParts) {
    this.#parts = parts
    parts.metrics.watchLive(() => this.#count())
  }

  changed(id: string, gone?: Claim): void {
    const { claims, keeper } = this.#parts
    if (gone) this.#gone(gone)
    const claim = claims.get(id)
    if (claim) this.#tell(claim)
    keeper.look(id)
  }

  #tell(claim: Claim): void {
    const { claims, hub, metrics, settings } = this.#parts
    const pod = claims.podOf(claim)
    const { way } = claim.launched
    // A warm one was ready before: whoever gives it away counts it.
    if (claim.pod && way !== 'WARM' && pod?.readyAt !== undefined && !this.#ready.has(claim.uid)) {
      this.#ready.add(claim.uid)
      metrics.readySeconds.observe({ launch: way }, Math.max(0, pod.readyAt - claim.createdAt) / 1000)
    }
    // Of an end one hears once, whatever becomes of what is left.
    if (this.#ended.has(claim.uid)) return
    if (claim.ended) this.#ended.add(claim.uid)
    if (hub.isWatched) hub.tell(sandboxOf(claim, pod, settings))
  }

  /** Where nobody of us ended it, somebody deleted its Service, and the pod goes with that. */
  #gone(claim: Claim): void {
    const { keys, keeper, hub, settings, clock } = this.#parts
    this.#ready.delete(claim.uid)
    this.#ended.delete(claim.uid)
    if (claim.ended) return
    const failure = { code: 'DELETED_EXTERNALLY', message: 'its Service was deleted, and not by us' } as const
    const ended: Ended = endedOf('FAILED', { pod: undefined, last: undefined, now: clock.wall() }, failure)
    const sandbox = sandboxOf({ ...claim, ended }, undefined, settings)
    keeper.tell(claim, ended)
    void keys.remember(sandbox)
    hub.tell(sandbox)
  }

  #count(): { readonly pending: number; readonly ready: number } {
    const { claims } = this.#parts
    const live = claims.all().filter(({ ended }) => ended === undefined)
    const ready = live.filter(claim => claims.podOf(claim)?.readyAt !== undefined).length
    return { pending: live.length - ready, ready }
  }
}
