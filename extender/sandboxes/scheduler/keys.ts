import { Code } from '@connectrpc/connect'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { type Begun, type IdempotenceStore, type Scope, StoreUnavailable } from '../idempotence-store.ts'
import { refusal } from '../refusals.ts'
import { read, written } from './answer.ts'
import type { SandboxMetrics } from './metrics.ts'
import type { Settings } from './ports.ts'

export type KeysParts = {
  readonly store: IdempotenceStore
  readonly metrics: SandboxMetrics
  readonly settings: Pick<Settings, 'strict'>
}

type Operation = 'begin' | 'done' | 'forget' | 'remember' | 'recall'

/** What a key was answered: which sandbox it made. */
export type Made = { readonly id: string; readonly uid: string }

/**
 * The store, where it answers. Where it does not, the API server decides alone: of sandboxes that live it knows as much,
 * and only those that have ended are forgotten. With `strict` nothing new is begun then.
 */
export class Keys {
  readonly #parts: KeysParts

  constructor(parts: KeysParts) {
    this.#parts = parts
  }

  /** Undefined where the store does not answer and it may do without. */
  async begin(scope: Scope, fingerprint: string): Promise<Begun | undefined> {
    const begun = await this.#degrading('begin', store => store.begin(scope, fingerprint))
    if (begun !== undefined || !this.#parts.settings.strict) return begun
    const message = 'the idempotence store does not answer, and nothing is made without it; ask again'
    throw refusal(Code.Unavailable, 'idempotence_store_unavailable', message, { retryAfterMs: 1_000 })
  }

  async done(scope: Scope, token: number, { id, uid }: Made): Promise<void> {
    await this.#degrading('done', store => store.done(scope, token, JSON.stringify({ id, uid })))
  }

  async forget(scope: Scope, token: number): Promise<void> {
    await this.#degrading('forget', store => store.forget(scope, token))
  }

  /** Keeps the last word about a sandbox. */
  async remember(sandbox: Sandbox): Promise<void> {
    await this.#degrading('remember', store => store.remember(sandbox.tenant, sandbox.id, written(sandbox)))
  }

  /** The sandbox of that id that ended last, as far as anybody knows. */
  async recall(tenant: string, id: string): Promise<Sandbox | undefined> {
    const text = await this.#degrading('recall', store => store.recall(tenant, id))
    return text === undefined ? undefined : read(text)
  }

  async #degrading<T>(operation: Operation, call: (store: IdempotenceStore) => Promise<T>): Promise<T | undefined> {
    try {
      return await call(this.#parts.store)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#parts.metrics.degraded.inc({ operation })
      return undefined
    }
  }
}
