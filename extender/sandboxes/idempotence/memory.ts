import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import type { Begun, IdempotenceStore, Scope, StoreTimes } from '../idempotence-store.ts'

type Entry = { readonly fingerprint: string; token: number; leaseUntil: number; response: string | undefined }

/** Bounds, whatever clients send: the oldest is forgotten first. */
const most = { entries: 100_000, characters: 64 * 1024 ** 2 }

/** A store in this process: what it knows ends with the process. */
export class MemoryStore implements IdempotenceStore {
  readonly kind = 'memory'
  readonly #clock: Clock
  readonly #times: StoreTimes
  readonly #entries: LRUCache<string, Entry>
  readonly #ended: LRUCache<string, string>
  #token = 0

  constructor(clock: Clock, times: StoreTimes) {
    this.#clock = clock
    this.#times = times
    // ttlResolution 0: else lru-cache starts timers of its own. It reads a start of 0 as none, hence the 1.
    const aging = { ttl: times.ttlMs, ttlResolution: 0, perf: { now: () => clock.now() + 1 } }
    this.#entries = new LRUCache({ max: most.entries, ...aging })
    const sized = { maxSize: most.characters, sizeCalculation: (text: string, key: string) => text.length + key.length }
    this.#ended = new LRUCache({ max: most.entries, ...sized, ...aging })
  }

  async begin(scope: Scope, fingerprint: string): Promise<Begun> {
    const key = keyOf(scope)
    const entry = this.#entries.get(key)
    const now = this.#clock.now()
    if (entry === undefined) {
      this.#token += 1
      const leaseUntil = now + this.#times.leaseMs
      this.#entries.set(key, { fingerprint, token: this.#token, leaseUntil, response: undefined })
      return { outcome: 'new', token: this.#token, takeover: false }
    }
    if (entry.fingerprint !== fingerprint) return { outcome: 'mismatch' }
    if (entry.response !== undefined) return { outcome: 'replay', response: entry.response }
    if (entry.leaseUntil > now) return { outcome: 'inflight', retryAfterMs: entry.leaseUntil - now }
    this.#token += 1
    entry.token = this.#token
    entry.leaseUntil = now + this.#times.leaseMs
    return { outcome: 'new', token: this.#token, takeover: true }
  }

  async done(scope: Scope, token: number, response: string): Promise<boolean> {
    const entry = this.#held(scope, token)
    if (entry) entry.response = response
    return entry !== undefined
  }

  async forget(scope: Scope, token: number): Promise<boolean> {
    return this.#held(scope, token) !== undefined && this.#entries.delete(keyOf(scope))
  }

  async remember(tenant: string, id: string, text: string): Promise<void> {
    this.#ended.set(`${tenant}/${id}`, text)
  }

  async recall(tenant: string, id: string): Promise<string | undefined> {
    return this.#ended.get(`${tenant}/${id}`)
  }

  async close(): Promise<void> {
    this.#entries.clear()
    this.#ended.clear()
  }

  #held(scope: Scope, token: number): Entry | undefined {
    const entry = this.#entries.get(keyOf(scope))
    return entry?.token === token ? entry : undefined
  }
}

const keyOf = ({ tenant, method, key }: Scope): string => JSON.stringify([tenant, method, key])
