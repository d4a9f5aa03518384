import type { Clock, Random } from '../clock.ts'
import { integer, type Json, object, text } from '../json.ts'
import type { ApiServer } from './api-server.ts'
import { isOlder } from './list.ts'
import type { Log } from './log.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { Reflector } from './reflector.ts'

export type LeaseOptions = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: KubernetesMetrics
  readonly namespace: string
  readonly name: string
  /** Whose kube-scheduler is ours: the identity of a holder is `HOST_UUID`; or the whole of an identity. */
  readonly host: string
}

/** What the Lease says, and the version that says it. */
type Seen = {
  readonly version: string
  readonly holder: string
  /** How often the holder has changed. */
  readonly transitions: number
  /** Only ever compared with itself: it is another machine's clock. */
  readonly renewed: string
  readonly durationMs: number
}

/** What kube-scheduler's own default is, where the Lease says nothing. */
const usualSeconds = 15
const longestSeconds = 3_600
/** What a Lease says that is not there. */
const absent: Seen = { version: '', holder: '', transitions: 0, renewed: '', durationMs: usualSeconds * 1000 }
/** A look takes no longer, since kube-scheduler waits for it; and is not repeated sooner. */
const lookMs = 1_000
const betweenLooksMs = 250
/** A Lease that is renewed every other second must not wait half a minute for its next attempt. */
const longestPauseMs = 2_000
const silentMs = 30_000

/**
 * Follows the Lease of kube-scheduler's leader election, and never writes it: this muster leads while the holder is the
 * kube-scheduler of its own host. What is not renewed for the Lease's duration is not held, counted on our clock from
 * when we saw the last renewal, since the times in it are another machine's. A Lease that is seen for the first time
 * counts as renewed just then: whoever wants to take it over must wait as long.
 */
export class Lease {
  readonly #options: LeaseOptions
  readonly #path: string
  readonly #reflector: Reflector<Seen>
  readonly #listeners: (() => void)[] = []
  #seen = absent
  /** Monotonic: when it was last seen to change, and when we last asked for it. */
  #changedAt: number
  #askedAt: number
  /** Monotonic: when a look was last answered. */
  #answeredAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #cancel = (): void => {}

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`
    this.#changedAt = options.clock.now()
    this.#askedAt = this.#changedAt
    this.#reflector = new Reflector({
      ...options,
      ...{ resource: 'leases', path: this.#path, query: { fieldSelector: `metadata.name=${options.name}` } },
      ...{ project: seenIn, longestPauseMs },
      handler: {
        replace: ([one]) => this.#take(one ?? absent),
        apply: (type, one) => this.#take(type === 'DELETED' ? absent : one)
      }
    })
  }

  /** Begins to follow; nothing but `stop` ends it. */
  start(): void {
    this.#reflector.start()
    this.#rearm()
  }

  async stop(): Promise<void> {
    this.#cancel()
    this.#cancel = (): void => {}
    await this.#reflector.stop()
  }

  /** How often the leader had changed when ours began; undefined while the Lease is not ours, or its time is up. */
  term(): number | undefined {
    const { holder, transitions } = this.#seen
    return this.#isOurs(holder) && this.#options.clock.now() < this.until() ? transitions : undefined
  }

  /** Monotonic milliseconds: whoever holds it holds it no longer than until then, unless it is renewed. */
  until(): number {
    return this.#changedAt + this.#seen.durationMs
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Asks the API server now, at most four times a second; never throws, and takes a second at most. */
  look(): Promise<void> {
    const { clock } = this.#options
    if (!this.#looking && clock.now() - this.#askedAt >= betweenLooksMs) {
      this.#askedAt = clock.now()
      this.#looking = this.#ask().finally(() => {
        this.#looking = undefined
      })
    }
    return this.#looking ?? Promise.resolve()
  }

  /** Why nobody could tell whether we lead; a holder elsewhere is no problem. */
  problem(): string | undefined {
    const silence = Math.min(this.#reflector.staleness(), this.#options.clock.now() - this.#answeredAt)
    if (!this.#reflector.synced) return 'not listed yet'
    return silence > silentMs ? `not heard of for ${Math.floor(silence / 1000)} s` : undefined
  }

  #isOurs(holder: string): boolean {
    const { host } = this.#options
    return holder === host || holder.slice(0, Math.max(0, holder.lastIndexOf('_'))) === host
  }

  async #ask(): Promise<void> {
    const { api, name, clock } = this.#options
    try {
      const answer = await api.request({ method: 'GET', path: `${this.#path}/${name}`, timeoutMs: lookMs })
      if (answer.status !== 200 && answer.status !== 404) return
      this.#answeredAt = clock.now()
      this.#take(answer.status === 200 ? seenIn(object(answer.body)) : absent)
    } catch {
      // The reflector asks as well, and says what is wrong.
    }
  }

  /** The look and the watch may tell the same in any order. */
  #take(seen: Seen): void {
    const { clock, log, name, namespace } = this.#options
    const before = this.#seen
    if (seen.version === before.version || isOlder(seen.version, before.version)) return
    this.#seen = seen
    if (seen.renewed !== before.renewed || seen.holder !== before.holder) this.#changedAt = clock.now()
    if (seen.holder !== before.holder)
      log.info({ lease: `${namespace}/${name}`, holder: seen.holder }, 'The lease changed hands')
    this.#tell()
    this.#rearm()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  /** Wakes when the holder's time is up, and a third earlier to ask, since a watch may be dead without a sign. */
  #rearm(): void {
    const { clock } = this.#options
    this.#cancel()
    const quietFrom = Math.max(this.#changedAt, this.#askedAt)
    const asksIn = Math.max(betweenLooksMs, quietFrom + (this.#seen.durationMs * 2) / 3 - clock.now())
    const endsIn = this.until() - clock.now()
    this.#cancel = clock.after(endsIn > 0 ? Math.min(endsIn, asksIn) : asksIn, () => {
      this.#tell()
      if (asksIn <= endsIn || endsIn <= 0) void this.look()
      this.#rearm()
    })
  }
}

/** Nothing but its own field is taken from an object that others write. */
function seenIn(json: Json): Seen {
  const metadata = object(json.metadata)
  const spec = object(json.spec)
  const seconds = integer(spec.leaseDurationSeconds) ?? usualSeconds
  return {
    version: text(metadata.resourceVersion) ?? '',
    holder: text(spec.holderIdentity) ?? '',
    transitions: Math.max(0, integer(spec.leaseTransitions) ?? 0),
    renewed: text(spec.renewTime) ?? '',
    durationMs: Math.min(Math.max(seconds, 1), longestSeconds) * 1000
  }
}
