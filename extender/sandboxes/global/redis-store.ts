import { Redis } from 'ioredis'
import { type Debt, type DebtKey, debtKey, type Place, rememberedMs, type Store } from './store.ts'

/** Nobody waits longer for a store that is only a memory. */
const patienceMs = 1_000
const longestPauseMs = 2_000

const prefix = 'muster:{placement}'
const debtsKey = `${prefix}:debts`
const placeKey = (id: string): string => `${prefix}:${id}`

/** Compare and swap: the value is written only where the expected one still stands; what stands then is answered. */
const swapScript = `
local stands = redis.call('GET', KEYS[1]) or ''
if stands ~= ARGV[1] then return stands end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return ARGV[2]`

/** What several front doors share, and what outlives each of them. */
export class RedisStore implements Store {
  readonly isComplete = true
  readonly #redis: Redis

  private constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Tries to connect for a moment; where that fails every call fails at once, until it has connected. */
  static async open(url: string): Promise<RedisStore> {
    const redis = new Redis(url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: patienceMs,
      commandTimeout: patienceMs,
      retryStrategy: attempt => Math.min(50 * 2 ** attempt, longestPauseMs)
    })
    // The next call says it; the client goes on trying by itself.
    redis.on('error', () => undefined)
    await redis.connect().catch(() => undefined)
    return new RedisStore(redis)
  }

  async get(id: string): Promise<Place | undefined> {
    return placeOf(await this.#redis.get(placeKey(id)))
  }

  async swap(id: string, before: Place | undefined, after: Place | undefined): Promise<Place | undefined> {
    const values = [textOf(before), textOf(after), rememberedMs]
    return placeOf(await this.#redis.eval(swapScript, 1, placeKey(id), ...values))
  }

  async owe(debt: Debt): Promise<void> {
    await this.#redis.hset(debtsKey, debtKey(debt), JSON.stringify(debt))
  }

  async paid(debt: DebtKey): Promise<void> {
    await this.#redis.hdel(debtsKey, debtKey(debt))
  }

  async debts(): Promise<readonly Debt[]> {
    return (await this.#redis.hvals(debtsKey)).map(text => JSON.parse(text) as Debt)
  }

  async close(): Promise<void> {
    await this.#redis.quit().catch(() => this.#redis.disconnect())
  }
}

/** Always the same order of fields: the script compares texts. */
function textOf(place: Place | undefined): string {
  if (!place) return ''
  const { cluster, state, token } = place
  return JSON.stringify({ cluster, state, token })
}

function placeOf(text: unknown): Place | undefined {
  return typeof text === 'string' && text !== '' ? (JSON.parse(text) as Place) : undefined
}
