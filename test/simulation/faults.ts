import type { Chance } from './chance.ts'

/** How one request to the API server ends, besides by what the API server says to it. */
export type Fate =
  | 'answered'
  /** The connection is refused. */
  | 'not sent'
  /** Reset on its way there: nothing happens. */
  | 'lost before'
  /** Carried out, and the answer is lost. */
  | 'lost after'
  /** Carried out, and the answer comes after the client's patience. */
  | 'late'
  /** Carried out long after the client has given it up. */
  | 'stuck'
  /** A proxy sends it twice. */
  | 'twice'
  /** 429 with Retry-After, or without. */
  | 'busy'
  /** 500 or 503, before or after it was carried out. */
  | 'broken'
  /** 409: somebody has written in between. */
  | 'conflict'
  /** 403: a quota's webhook, or a right that is missing for a while. */
  | 'forbidden'

export const fates = ['not sent', 'lost before', 'lost after', 'late', 'stuck', 'twice', 'busy', 'broken'] as const

/** How hostile the world is now; the healed one is calm. */
export class Faults {
  readonly #chance: Chance
  /** Of requests to the API server. */
  requests = 0
  /** Of calls of kube-scheduler to muster. */
  calls = 0
  /** Of kube-scheduler's own writes. */
  writes = 0
  /** The longest time that a watch lags, in milliseconds. */
  lagMs = 20
  /** The longest time that a request is under way each way, in milliseconds. */
  latencyMs = 10
  /** How the next request ends, whatever the weather. */
  next: Fate | undefined
  /** The API server is restarted, or cut off: nobody reaches it. */
  away = false

  constructor(chance: Chance) {
    this.#chance = chance
  }

  calm(): void {
    Object.assign(this, { requests: 0, calls: 0, writes: 0, lagMs: 20, latencyMs: 10, away: false, next: undefined })
  }

  /** A new weather. */
  change(): void {
    const chance = this.#chance
    this.requests = chance.one([0, 0.02, 0.1, 0.3, 0.6]) ?? 0
    this.calls = chance.one([0, 0, 0.05, 0.2, 0.5]) ?? 0
    this.writes = chance.one([0, 0, 0.1]) ?? 0
    this.lagMs = chance.one([5, 20, 20, 200, 2_000]) ?? 20
    this.latencyMs = chance.one([2, 10, 10, 100, 1_000]) ?? 10
  }

  fate(write: boolean): Fate {
    const chance = this.#chance
    const { next } = this
    this.next = undefined
    if (next) return next
    if (this.away) return chance.is(0.7) ? 'not sent' : 'lost before'
    if (!chance.is(this.requests)) return 'answered'
    if (write && chance.is(0.15)) return chance.is(0.5) ? 'conflict' : 'forbidden'
    return chance.one(fates) ?? 'answered'
  }

  lag(): number {
    return this.#chance.between(0, this.lagMs)
  }

  latency(): number {
    return this.#chance.between(0, this.latencyMs)
  }
}
