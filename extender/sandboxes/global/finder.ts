import { Code } from '@connectrpc/connect'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { sandboxIdOf, tenantOf } from '../identity.ts'
import { type Sandbox, State } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { invalid, refusal } from '../refusals.ts'
import { passedOn, unavailable } from './answers.ts'
import type { Clusters } from './clusters.ts'
import { type Failure, isNotFound } from './failures.ts'
import type { Place, Store } from './store.ts'
import type { CallOptions, SchedulerClient } from './upstream.ts'

export type FinderOptions = {
  readonly clusters: Clusters
  readonly store: Store
  readonly token: () => string
  readonly callMs: number
}

/** What one cluster says about one id. */
export type Sighting =
  | { readonly kind: 'found'; readonly sandbox: Sandbox }
  | { readonly kind: 'none' }
  | { readonly kind: 'unreachable'; readonly failure: Failure }

/** A sandbox by id, or by the project that it belongs to. */
export type Target = { readonly id: string; readonly projectId: string; readonly tenant: string }

type At = { readonly cluster: string; readonly id: string; readonly headers: Headers }
type Send<T> = (client: SchedulerClient, options: CallOptions) => Promise<T>

const lookupMs = 2_000

export const hasEnded = ({ state }: Sandbox): boolean => state === State.TERMINATED

/** Which cluster holds a sandbox: by what is remembered, else by asking. */
export class Finder {
  readonly #options: FinderOptions

  constructor(options: FinderOptions) {
    this.#options = options
  }

  async lookup(cluster: string, target: Target, headers: Headers): Promise<Sighting> {
    const call = { timeoutMs: lookupMs, headers, mends: false }
    const outcome = await this.#options.clusters.call(cluster, call, (client, options) =>
      client.getSandbox(target, options)
    )
    if (!outcome.ok) {
      const { failure } = outcome
      return isNotFound(failure) ? { kind: 'none' } : { kind: 'unreachable', failure }
    }
    const { sandbox } = outcome.value
    return sandbox ? { kind: 'found', sandbox } : { kind: 'none' }
  }

  /** Asks all clusters. Of several answers one that has not ended comes first, then the younger one. */
  async search(
    target: Target,
    headers: Headers
  ): Promise<{ readonly found?: { readonly cluster: string; readonly sandbox: Sandbox }; readonly missing: string[] }> {
    const names = this.#options.clusters.open.map(({ entry }) => entry.cluster.name)
    const sightings = await Promise.all(
      names.map(async cluster => ({ cluster, sighting: await this.#lookupIfHealthy(cluster, target, headers) }))
    )
    const [found] = sightings
      .flatMap(({ cluster, sighting }) => (sighting.kind === 'found' ? [{ cluster, sandbox: sighting.sandbox }] : []))
      .toSorted((a, b) => Number(hasEnded(a.sandbox)) - Number(hasEnded(b.sandbox)) || bornAt(b) - bornAt(a))
    const missing = sightings.filter(({ sighting }) => sighting.kind === 'unreachable').map(({ cluster }) => cluster)
    return { ...(found && { found }), missing }
  }

  /** One that its probes do not reach is not waited for. */
  async #lookupIfHealthy(
    cluster: string,
    target: Target,
    headers: Headers
  ): Promise<Sighting | { kind: 'unreachable' }> {
    return this.#options.clusters.isHealthy(cluster) ? this.lookup(cluster, target, headers) : { kind: 'unreachable' }
  }

  /** Calls the cluster that holds the sandbox. Throws what it says, or that nobody holds it. */
  async call<T>(target: Target, headers: Headers, send: Send<T>): Promise<T> {
    const { store, clusters } = this.#options
    const id = idOf(target)
    const place = await store.get(id)
    const state = place && clusters.cluster(place.cluster)?.state
    if (place && state !== undefined && state !== 'disabled') {
      const value = await this.#callAt({ cluster: place.cluster, id, headers }, send)
      if (value !== undefined) return value
    }
    const cluster = await this.#discover({ ...target, id }, headers, place)
    const value = await this.#callAt({ cluster, id, headers }, send)
    if (value === undefined) throw notFound(id)
    return value
  }

  /** Undefined: it is not there. */
  async #callAt<T>({ cluster, id, headers }: At, send: Send<T>): Promise<T | undefined> {
    const { clusters, callMs } = this.#options
    const outcome = await clusters.call(cluster, { timeoutMs: callMs, headers }, send)
    if (outcome.ok) return outcome.value
    if (isNotFound(outcome.failure)) return undefined
    const { kind, text } = outcome.failure
    if (kind === 'answered' || kind === 'saturated') throw passedOn(outcome.failure)
    throw unavailable(`cluster ${cluster}, which holds sandbox ${id}, ${text}`, id, clusters.retryAfterMs())
  }

  /** Asks for it everywhere, and remembers where it is. */
  async #discover(target: Target, headers: Headers, before: Place | undefined): Promise<string> {
    const { clusters, store, token } = this.#options
    const { id } = target
    const { found, missing } = await this.search(target, headers)
    if (found) {
      // Only what has not ended: its project may go anywhere after that. A create under way speaks for itself.
      const isNews = !hasEnded(found.sandbox) && before?.state !== 'intended'
      if (isNews) await store.swap(id, before, { cluster: found.cluster, state: 'placed', token: token() })
      return found.cluster
    }
    if (missing.length === 0) throw notFound(id)
    const many = missing.length > 1 ? 'clusters' : 'cluster'
    throw unavailable(
      `no reachable cluster holds sandbox ${id}, and ${many} ${missing.join(', ')} cannot be asked`,
      id,
      clusters.retryAfterMs()
    )
  }
}

function idOf({ id, projectId, tenant }: Target): string {
  if (id !== '') return id
  if (projectId === '') throw invalid('id', 'id is missing: name the sandbox by id, or by project_id')
  return sandboxIdOf({ tenant: tenantOf(tenant), projectId, idempotencyKey: '' })
}

const notFound = (id: string): Error =>
  refusal(Code.NotFound, 'not_found', `there is no sandbox ${id} on any cluster`, { subject: id })

const bornAt = ({ sandbox }: { readonly sandbox: Sandbox }): number =>
  sandbox.createdAt ? timestampMs(sandbox.createdAt) : 0
