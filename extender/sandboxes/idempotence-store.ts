/** What a request is known by: its key counts within its tenant and its method. */
export type Scope = { readonly tenant: string; readonly method: string; readonly key: string }

/**
 * How a request may go on. `new`: it is the first, or the first one's lease is over; `token` fences off whoever had it
 * before. `inflight`: another does it now. `replay`: it was done. `mismatch`: the key belongs to another request.
 */
export type Begun =
  | { readonly outcome: 'new'; readonly token: number; readonly takeover: boolean }
  | { readonly outcome: 'inflight'; readonly retryAfterMs: number }
  | { readonly outcome: 'replay'; readonly response: string }
  | { readonly outcome: 'mismatch' }

/** Remembers what was asked and answered. Every method throws a StoreUnavailable where the store cannot be reached. */
export interface IdempotenceStore {
  readonly kind: 'redis' | 'memory'
  /** Called before any work. A key is free again when its time, counted from its first `begin`, is over. */
  begin(scope: Scope, fingerprint: string): Promise<Begun>
  /** Called after the work. False where another has taken over, or the record is gone: then nothing is changed. */
  done(scope: Scope, token: number, response: string): Promise<boolean>
  /** Called in place of `done` where nothing was done: the key is free at once. */
  forget(scope: Scope, token: number): Promise<boolean>
  /** Keeps the last word about a sandbox that has ended. */
  remember(tenant: string, id: string, text: string): Promise<void>
  recall(tenant: string, id: string): Promise<string | undefined>
  close(): Promise<void>
}

/** The store does not answer; what it knows is not lost. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

export type StoreTimes = {
  /** How long a key, and the end of a sandbox, is remembered. */
  readonly ttlMs: number
  /** How long a request that says nothing counts as under way. */
  readonly leaseMs: number
}
