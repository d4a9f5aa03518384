import { create } from '@bufbuild/protobuf'
import { type CreateSandboxResponse, CreateSandboxResponseSchema } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { passedOn, unavailable } from './answers.ts'
import type { Asked } from './asked.ts'
import type { Clusters } from './clusters.ts'
import type { Debts } from './debts.ts'
import type { Failure } from './failures.ts'
import { type Finder, hasEnded, type Target } from './finder.ts'
import type { Place, Store } from './store.ts'
import type { Outcome } from './upstream.ts'

/** A cluster's answer to a create. */
export type Answer = { readonly response: CreateSandboxResponse; readonly replayed: boolean }

export type HolderOptions = {
  readonly clusters: Clusters
  readonly store: Store
  readonly finder: Finder
  readonly debts: Debts
  readonly token: () => string
  readonly callMs: number
}

export const targetOf = ({ id, tenant }: Asked): Target => ({ id, projectId: '', tenant })

/** Whether a create would be answered with this one. Without a key, one that has ended gives way to another. */
export const isHeld = (sandbox: Sandbox, { keyed }: Asked): boolean => keyed || !hasEnded(sandbox)

/** Creates at the one cluster that holds the sandbox or is to hold it, and the record of which that is. */
export class Holder {
  readonly #options: HolderOptions

  constructor(options: HolderOptions) {
    this.#options = options
  }

  /** The answer of the cluster that holds it. Undefined: it no longer does, or somebody else has moved it. */
  async ask(asked: Asked, place: Place): Promise<Answer | undefined> {
    const { clusters } = this.#options
    const { cluster } = place
    const state = clusters.cluster(cluster)?.state
    if (!clusters.holds(cluster)) {
      // It may come back with it.
      if (state === 'active' || state === 'draining') await this.owe(asked, cluster)
      return undefined
    }
    if (state === 'draining' && !(await this.#isHeldAt(asked, cluster))) return undefined
    const outcome = await this.send(asked, cluster)
    if (!outcome.ok) return this.#failed(asked, place, outcome.failure)
    return (await this.confirm(asked, place)) ? outcome.value : undefined
  }

  /** Elsewhere goes only what is known not to be there, or what was never seen there, which is then made good. */
  async #failed(asked: Asked, place: Place, failure: Failure): Promise<Answer | undefined> {
    const { cluster, state } = place
    if (failure.kind === 'answered') throw passedOn(failure)
    if (failure.kind === 'saturated') {
      if (await this.#isHeldAt(asked, cluster)) throw passedOn(failure)
      asked.tried.set(cluster, failure.text)
      return undefined
    }
    const there = await this.#options.finder.lookup(cluster, targetOf(asked), asked.headers)
    if (there.kind === 'found' && isHeld(there.sandbox, asked)) {
      const response = create(CreateSandboxResponseSchema, { sandbox: there.sandbox })
      return (await this.confirm(asked, place)) ? { response, replayed: true } : undefined
    }
    if (state === 'placed') throw this.#away(asked, cluster, failure)
    await this.owe(asked, cluster)
    asked.tried.set(cluster, failure.text)
    return undefined
  }

  async #isHeldAt(asked: Asked, cluster: string): Promise<boolean> {
    const there = await this.#options.finder.lookup(cluster, targetOf(asked), asked.headers)
    if (there.kind === 'unreachable') throw this.#away(asked, cluster, there.failure)
    return there.kind === 'found' && isHeld(there.sandbox, asked)
  }

  #away({ id }: Asked, cluster: string, { text }: Failure): Error {
    const { clusters } = this.#options
    return unavailable(`cluster ${cluster}, which holds sandbox ${id}, ${text}`, id, clusters.retryAfterMs())
  }

  send(asked: Asked, cluster: string): Promise<Outcome<Answer>> {
    const { clusters, callMs } = this.#options
    let replayed = false
    const onHeader = (headers: Headers): void => void (replayed = headers.get('idempotent-replayed') === 'true')
    return clusters.call(cluster, { timeoutMs: callMs, headers: asked.headers }, async (client, options) => {
      const response = await client.createSandbox(asked.request, { ...options, onHeader })
      return { response, replayed }
    })
  }

  /** Writes down where the call goes before it goes. Undefined: somebody else has written meanwhile. */
  async intend(asked: Asked, cluster: string, before: Place | undefined): Promise<Place | undefined> {
    const { store, debts } = this.#options
    const intent = this.place(cluster, 'intended')
    const stands = await store.swap(asked.id, before, intent)
    if (stands?.token !== intent.token) return undefined
    await debts.forgive(cluster, asked.id)
    return intent
  }

  /** Whether it is to stay there: another front door may have given that up, and placed it elsewhere. */
  async confirm(asked: Asked, place: Place): Promise<boolean> {
    if (place.state === 'placed') return true
    const stands = await this.#options.store.swap(asked.id, place, { ...place, state: 'placed' })
    if (stands?.cluster === place.cluster) return true
    await this.owe(asked, place.cluster)
    return false
  }

  /** A sandbox may be left there that is not to stay. */
  owe({ id, tenant }: Asked, cluster: string): Promise<void> {
    return this.#options.debts.owe({ cluster, id, tenant })
  }

  place(cluster: string, state: Place['state']): Place {
    return { cluster, state, token: this.#options.token() }
  }
}
