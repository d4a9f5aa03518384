import { type Cluster, type ClusterView, holds } from '../../../policies/clusters.ts'
import { mayEject } from '../../../policies/clusters/ejection.ts'
import type { Clock, Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { ClusterCondition } from './condition.ts'
import type { FrontDoorMetrics } from './metrics.ts'
import type { CallOptions, Outcome, SchedulerClient, Upstream } from './upstream.ts'

/** Asks whether a scheduler may be asked for something: resolves with what is missing, or undefined. */
export type Probe = (endpoint: string, signal: AbortSignal) => Promise<string | undefined>

export type ClustersOptions = {
  readonly upstreams: readonly Upstream[]
  readonly probe: Probe
  readonly clock: Clock
  readonly random: Random
  readonly metrics: FrontDoorMetrics
  readonly failoverAfterMs: number
  /** Sandboxes on a cluster that has a capacity. */
  readonly count: (upstream: Upstream) => Promise<number | undefined>
}

export type CallHow = {
  readonly timeoutMs: number
  readonly headers: Headers
  /** Whether an answer shows that the cluster is well. Not so where somebody asks what became of a failure. */
  readonly mends?: boolean
}

const intervalMs = 10_000
/** Until a cluster was seen for the first time. */
const eagerMs = 1_000
const probeMs = 5_000

type Member = { readonly upstream: Upstream; readonly condition: ClusterCondition; stop: () => void }

/** All clusters: who can be asked, and what became of it. */
export class Clusters {
  readonly #options: ClustersOptions
  readonly #members: ReadonlyMap<string, Member>
  readonly #closing = new AbortController()

  constructor(options: ClustersOptions) {
    this.#options = options
    this.#members = new Map(
      options.upstreams.map(upstream => [
        upstream.entry.cluster.name,
        { upstream, condition: new ClusterCondition(), stop: () => undefined }
      ])
    )
  }

  /** Probes all clusters that are not disabled, now and then again and again. Resolves after the first round. */
  async start(): Promise<void> {
    const probed = [...this.#members.values()].filter(({ upstream }) => upstream.entry.cluster.state !== 'disabled')
    await Promise.all(probed.map(member => this.#probe(member)))
  }

  close(): void {
    this.#closing.abort()
    for (const { stop } of this.#members.values()) stop()
  }

  async #probe(member: Member): Promise<void> {
    const { clock, random, count } = this.#options
    const { upstream, condition } = member
    const problem = await this.#problemOf(upstream)
    condition.probed(problem, clock.now())
    if (problem === undefined && upstream.entry.cluster.capacity !== undefined) {
      const sandboxes = await count(upstream)
      if (sandboxes !== undefined) condition.count(sandboxes)
    }
    if (this.#closing.signal.aborted) return
    const pause = condition.seen ? intervalMs : eagerMs
    member.stop = clock.after(pause * (0.9 + random() / 5), () => void this.#probe(member))
  }

  async #problemOf({ entry }: Upstream): Promise<string | undefined> {
    const giveUp = new AbortController()
    const cancel = this.#options.clock.after(probeMs, () => giveUp.abort())
    try {
      return await this.#options.probe(entry.endpoint, AbortSignal.any([giveUp.signal, this.#closing.signal]))
    } catch (error) {
      if (giveUp.signal.aborted) return `no answer to /readyz within ${probeMs / 1000} s`
      return `no answer to /readyz: ${reasonOf(error)}`
    } finally {
      cancel()
    }
  }

  views(): readonly ClusterView[] {
    const now = this.#options.clock.now()
    return [...this.#members.values()].map(({ upstream, condition }) => ({
      cluster: upstream.entry.cluster,
      condition: condition.at(now)
    }))
  }

  /** Whether the cluster's sandboxes are still to be looked for there. */
  holds(name: string): boolean {
    const view = this.#view(name)
    return view !== undefined && holds(view, this.#options.failoverAfterMs)
  }

  /** What is missing, where nothing can be placed. */
  problem(): string | undefined {
    return this.views().some(isFit) ? undefined : 'none of the active ones is healthy'
  }

  isHealthy(name: string): boolean {
    return this.#view(name)?.condition.lostMs === 0
  }

  #view(name: string): ClusterView | undefined {
    return this.views().find(({ cluster }) => cluster.name === name)
  }

  cluster(name: string): Cluster | undefined {
    return this.#members.get(name)?.upstream.entry.cluster
  }

  /** In order of name: all that are not disabled. */
  get open(): readonly Upstream[] {
    return [...this.#members.values()]
      .map(({ upstream }) => upstream)
      .filter(({ entry }) => entry.cluster.state !== 'disabled')
      .toSorted((a, b) => (a.entry.cluster.name < b.entry.cluster.name ? -1 : 1))
  }

  get all(): readonly { readonly upstream: Upstream; readonly reason: string }[] {
    return [...this.#members.values()].map(({ upstream, condition }) => ({ upstream, reason: condition.reason }))
  }

  /** Calls a cluster, and learns from what becomes of it. Never rejects. */
  async call<T>(
    name: string,
    { timeoutMs, headers, mends = true }: CallHow,
    send: (client: SchedulerClient, options: CallOptions) => Promise<T>
  ): Promise<Outcome<T>> {
    const member = this.#members.get(name)
    if (!member) throw new TypeError(`there is no cluster ${name}`)
    const outcome = await member.upstream.call(timeoutMs, headers, send)
    if (mends || (!outcome.ok && outcome.failure.kind !== 'answered')) this.#learn(member, outcome)
    return outcome
  }

  #learn({ upstream, condition }: Member, outcome: Outcome<unknown>): void {
    const { metrics, clock } = this.#options
    const { name } = upstream.entry.cluster
    if (outcome.ok || outcome.failure.kind === 'answered') return condition.succeeded()
    const { kind, retryAfterMs } = outcome.failure
    metrics.failed(name, kind)
    if (kind === 'saturated') {
      condition.succeeded()
      return condition.saturate(clock.now(), retryAfterMs)
    }
    if (condition.failed() && mayEject(this.views(), name)) condition.eject(clock.now())
  }

  /** One more sandbox there. */
  added(name: string): void {
    this.#members.get(name)?.condition.add()
  }

  /** When it is worth to ask again, where nobody can be asked now. */
  retryAfterMs(): number {
    const now = this.#options.clock.now()
    const ends = [...this.#members.values()].flatMap(({ condition }) => condition.endsAt(now) ?? [])
    return Math.min(intervalMs, ...ends.map(end => end - now))
  }
}

const isFit = ({ cluster, condition }: ClusterView): boolean => cluster.state === 'active' && condition.lostMs === 0
