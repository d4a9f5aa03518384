import { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import { reasonOf, UsageError } from '../../errors.ts'
import { logBounds } from './event-log.ts'
import type { Log } from './log.ts'
import { type Delivery, type EventStore, rememberedMs } from './store.ts'

/** One slot of a Redis cluster for all keys: one script writes them together. */
const prefix = 'muster:{sandbox-events}:'
const keys = {
  sequence: `${prefix}sequence`,
  log: `${prefix}log`,
  disabled: `${prefix}disabled`,
  known: (key: string) => `${prefix}known:${key}`,
  webhook: (url: string) => `${prefix}webhook:${url}`
}

/** A call that Redis does not answer in this time has failed; the publisher sends the event again. */
const patienceMs = 2_000

/** What waits for a webhook that is no longer given is forgotten after so long. */
const idleMs = 14 * 24 * 3_600_000
/** Events whose record was not answered: recorded or not, they were told to nobody. */
const mostUnanswered = 10_000

/**
 * All or nothing. KEYS: known, sequence, log, webhooks. ARGV: lifetime, length of the log, body, delivery, whether an
 * earlier call was not answered (then what that one recorded is replaced), lifetime of what waits for a webhook. A number
 * of 13 digits is exact in Lua, but is not written out by itself.
 */
const recordScript = `
local known = redis.call('GET', KEYS[1])
if known then
  if ARGV[5] ~= 'unanswered' then return false end
  redis.call('XDEL', KEYS[3], known .. '-0')
  for i = 4, #KEYS do redis.call('HDEL', KEYS[i], known) end
end
local sequence = string.format('%.0f', redis.call('INCR', KEYS[2]))
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[2], sequence .. '-0', 'body', ARGV[3])
for i = 4, #KEYS do
  redis.call('HSET', KEYS[i], sequence, ARGV[4])
  redis.call('PEXPIRE', KEYS[i], ARGV[6])
end
redis.call('SET', KEYS[1], sequence, 'PX', ARGV[1])
return sequence`

/** Events, deliveries and the ends of webhooks outlast the process, as far as Redis keeps them. */
export async function redisStore(url: string, clock: Clock, log: Log): Promise<EventStore> {
  const redis = await connected(url, log)
  await redis.set(keys.sequence, String(clock.wall()), 'NX')
  const unanswered = new LRUCache<string, true>({ max: mostUnanswered })
  return {
    async restore(webhooks) {
      const [sequence, entries, disabled] = await Promise.all([
        redis.get(keys.sequence),
        redis.xrange(keys.log, '-', '+'),
        redis.smembers(keys.disabled)
      ])
      const deliveries = new Map<string, Delivery[]>()
      for (const webhook of webhooks) deliveries.set(webhook, await deliveriesOf(redis, webhook))
      const events = entries.map(([id, [, body = '']]) => ({ sequence: Number.parseInt(id, 10), body }))
      return { sequence: Number(sequence), events, deliveries, disabled }
    },
    async record({ key, id, body }, webhooks) {
      const all = [keys.known(key), keys.sequence, keys.log, ...webhooks.map(keys.webhook)]
      const since = clock.wall()
      const delivery = JSON.stringify({ id, body, attempts: 0, since, due: since, error: '', dead: false })
      const again = unanswered.has(key) ? 'unanswered' : ''
      const values = [String(rememberedMs), String(logBounds.events), body, delivery, again, String(idleMs)]
      const sequence = await redis.eval(recordScript, all.length, ...all, ...values).catch((error: unknown) => {
        unanswered.set(key, true)
        throw error
      })
      unanswered.delete(key)
      return sequence === null ? undefined : Number(sequence)
    },
    async keep(webhook, { sequence, ...delivery }) {
      await redis.hset(keys.webhook(webhook), String(sequence), JSON.stringify(delivery))
    },
    async forget(webhook, sequence) {
      await redis.hdel(keys.webhook(webhook), String(sequence))
    },
    async disable(webhook, disabled) {
      await (disabled ? redis.sadd(keys.disabled, webhook) : redis.srem(keys.disabled, webhook))
    },
    problem: () => (redis.status === 'ready' ? undefined : `Redis is not connected (${redis.status})`),
    async close() {
      redis.disconnect()
    }
  }
}

async function connected(url: string, log: Log): Promise<Redis> {
  const host = URL.parse(url)?.host
  if (host === undefined || !/^rediss?:/.test(url))
    throw new UsageError('--redis: must be a URL such as redis://127.0.0.1:6379')
  const redis = new Redis(url, {
    lazyConnect: true,
    // While it is away, calls fail at once: publishers keep what they could not hand over.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs
  })
  const failure = told(redis, host, log)
  try {
    await redis.connect()
  } catch (error) {
    redis.disconnect()
    // The host alone: the URL may have a password in it.
    throw new UsageError(`--redis: cannot reach Redis at ${host}: ${failure() || reasonOf(error)}`)
  }
  return redis
}

/** Once when it begins to fail, once when it is over. Answers what is wrong; empty while nothing is. */
function told(redis: Redis, host: string, log: Log): () => string {
  let failing = ''
  redis.on('error', error => {
    const why = reasonOf(error) || 'no connection'
    if (failing === '') log.warn({ redis: host }, `Redis at ${host}, the store of events: ${why}; retrying`)
    failing = why
  })
  redis.on('ready', () => {
    if (failing !== '') log.info({ redis: host }, `Redis at ${host} answers again`)
    failing = ''
  })
  return () => failing
}

async function deliveriesOf(redis: Redis, webhook: string): Promise<Delivery[]> {
  const found = Object.entries(await redis.hgetall(keys.webhook(webhook)))
  return found
    .map(([sequence, json]) => ({ ...(JSON.parse(json) as Omit<Delivery, 'sequence'>), sequence: Number(sequence) }))
    .toSorted((a, b) => a.sequence - b.sequence)
}
