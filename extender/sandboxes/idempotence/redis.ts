import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { reasonOf } from '../../errors.ts'
import {
  type Begun,
  type IdempotenceStore,
  type Scope,
  type StoreTimes,
  StoreUnavailable
} from '../idempotence-store.ts'
import { begin, done } from './scripts.ts'

export type RedisOptions = StoreTimes & {
  /** Such as `redis://127.0.0.1:6379`, or the path of a socket. */
  readonly url: string
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void }
}

/** The scripts, as the client offers them once they are declared. */
type Scripts = {
  begin(record: string, fence: string, ...values: readonly (string | number)[]): Promise<readonly unknown[]>
  done(record: string, token: number, response: string): Promise<number>
}

/** Nobody waits longer for a store that is only a memory. */
const patienceMs = 1_000
const longestPauseMs = 2_000

/** A store that outlives this process, and that replicas share. */
export class RedisStore implements IdempotenceStore {
  readonly kind = 'redis'
  readonly #redis: Redis & Scripts
  readonly #times: StoreTimes

  private constructor(redis: Redis & Scripts, times: StoreTimes) {
    this.#redis = redis
    this.#times = times
  }

  /** Tries to connect for a moment. Where that fails the store is unavailable for now, and goes on trying. */
  static async open({ url, log, ...times }: RedisOptions): Promise<RedisStore> {
    const redis = new Redis(url, {
      lazyConnect: true,
      // What cannot be sent at once fails at once: the API server decides in its place.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: patienceMs,
      commandTimeout: patienceMs,
      retryStrategy: attempt => Math.min(50 * 2 ** attempt, longestPauseMs)
    })
    tell(redis, url, log)
    redis.defineCommand('begin', { numberOfKeys: 2, lua: begin })
    redis.defineCommand('done', { numberOfKeys: 1, lua: done })
    // A failure is told by the listener; the client goes on trying by itself.
    await redis.connect().catch(() => undefined)
    return new RedisStore(redis as Redis & Scripts, times)
  }

  async begin(scope: Scope, fingerprint: string): Promise<Begun> {
    const { leaseMs, ttlMs } = this.#times
    const fence = `${prefix(scope.tenant)}:fence`
    return begunOf(await available(this.#redis.begin(recordOf(scope), fence, fingerprint, leaseMs, ttlMs)))
  }

  async done(scope: Scope, token: number, response: string): Promise<boolean> {
    return (await available(this.#redis.done(recordOf(scope), token, response))) === 1
  }

  forget(scope: Scope, token: number): Promise<boolean> {
    return this.done(scope, token, '')
  }

  async remember(tenant: string, id: string, text: string): Promise<void> {
    await available(this.#redis.set(endedOf(tenant, id), text, 'PX', this.#times.ttlMs))
  }

  async recall(tenant: string, id: string): Promise<string | undefined> {
    return (await available(this.#redis.get(endedOf(tenant, id)))) ?? undefined
  }

  async close(): Promise<void> {
    this.#redis.disconnect()
  }
}

/** Once when it begins to fail, once when it is over. */
function tell(redis: Redis, url: string, log: RedisOptions['log']): void {
  const shown = URL.canParse(url) ? new URL(url).host : url
  let failing = false
  redis.on('error', (error: unknown) => {
    if (!failing)
      log.warn({ redis: shown }, `cannot reach Redis at ${shown}: ${reasonOf(error) || 'no connection'}; retrying`)
    failing = true
  })
  redis.on('ready', () => {
    if (failing) log.info({ redis: shown }, `Redis at ${shown} answers again`)
    failing = false
  })
}

async function available<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw new StoreUnavailable(`Redis does not answer: ${reasonOf(error)}`, { cause: error })
  }
}

function begunOf([outcome, first, second]: readonly unknown[]): Begun {
  switch (outcome) {
    case 'new':
      return { outcome, token: Number(first), takeover: second === 1 }
    case 'inflight':
      return { outcome, retryAfterMs: Number(first) }
    case 'replay':
      return { outcome, response: String(first) }
    default:
      return { outcome: 'mismatch' }
  }
}

/** The tag keeps all keys of a tenant in one slot of a Redis Cluster, as a script wants it. */
const prefix = (tenant: string): string => `muster:sandbox:{${tenant}}`
const recordOf = ({ tenant, method, key }: Scope): string =>
  `${prefix(tenant)}:${method}:${createHash('sha256').update(key).digest('hex')}`
const endedOf = (tenant: string, id: string): string => `${prefix(tenant)}:ended:${id}`
