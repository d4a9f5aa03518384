import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../extender/clock.ts'
import {
  type Begun,
  type IdempotenceStore,
  type StoreTimes,
  StoreUnavailable
} from '../../extender/sandboxes/idempotence-store.ts'
import { MemoryStore } from '../../extender/sandboxes/idempotence/memory.ts'
import { RedisStore } from '../../extender/sandboxes/idempotence/redis.ts'
import { freePort, noRedis, redisServer } from './redis-server.ts'
import { recordingLog } from './serve.ts'

type Open = (t: Test, times?: Partial<StoreTimes>) => Promise<IdempotenceStore>

const usual: StoreTimes = { ttlMs: 60_000, leaseMs: 30_000 }
const scope = { tenant: 'default', method: 'create', key: 'k1' }

/** Asks until the answer is of that kind. */
async function until(outcome: Begun['outcome'], ask: () => Promise<Begun>): Promise<Begun> {
  for (let turn = 0; turn < 2_000; turn++) {
    const begun = await ask()
    if (begun.outcome === outcome) return begun
    await sleep(5)
  }
  throw new Error(`never came: ${outcome}`)
}

/** What every store promises. */
const suite: Record<string, (t: Test, open: Open) => Promise<void>> = {
  'S0.4 of 100 that begin at once, one is new': async (t, open) => {
    const store = await open(t)
    const all = await Promise.all(Array.from({ length: 100 }, () => store.begin(scope, 'fp')))
    t.equal(all.filter(({ outcome }) => outcome === 'new').length, 1)
    t.equal(all.filter(({ outcome }) => outcome === 'inflight').length, 99)
    for (const begun of all) if (begun.outcome === 'inflight') t.ok(begun.retryAfterMs > 0)
  },
  'S0.3 what is done is answered again, word for word': async (t, open) => {
    const store = await open(t)
    const begun = await store.begin(scope, 'fp')
    t.match(begun, { outcome: 'new', takeover: false })
    t.ok(begun.outcome === 'new' && (await store.done(scope, begun.token, '{"id":"a","text":"ü"}')))
    t.strictSame(await store.begin(scope, 'fp'), { outcome: 'replay', response: '{"id":"a","text":"ü"}' })
  },
  'another request under the same key is a mismatch, under way or done': async (t, open) => {
    const store = await open(t)
    const begun = await store.begin(scope, 'fp')
    t.strictSame(await store.begin(scope, 'other'), { outcome: 'mismatch' })
    if (begun.outcome === 'new') await store.done(scope, begun.token, '{}')
    t.strictSame(await store.begin(scope, 'other'), { outcome: 'mismatch' })
  },
  'keys of other tenants and methods are other keys': async (t, open) => {
    const store = await open(t)
    const scopes = [scope, { ...scope, tenant: 'b' }, { ...scope, method: 'other' }, { ...scope, key: 'k2' }]
    for (const each of scopes) t.equal((await store.begin(each, JSON.stringify(each))).outcome, 'new')
  },
  'after the lease one takes over, and who had it before is refused': async (t, open) => {
    const store = await open(t, { leaseMs: 40 })
    const first = await store.begin(scope, 'fp')
    const second = await until('new', () => store.begin(scope, 'fp'))
    if (first.outcome !== 'new' || second.outcome !== 'new') throw new Error('neither is new')
    t.equal(second.takeover, true)
    t.ok(second.token > first.token, 'tokens grow')
    t.equal(await store.done(scope, first.token, 'stale'), false)
    t.equal(await store.forget(scope, first.token), false)
    t.equal(await store.done(scope, second.token, 'fresh'), true)
    t.strictSame(await store.begin(scope, 'fp'), { outcome: 'replay', response: 'fresh' })
  },
  'a key whose request came to nothing is free at once': async (t, open) => {
    const store = await open(t)
    const begun = await store.begin(scope, 'fp')
    t.ok(begun.outcome === 'new' && (await store.forget(scope, begun.token)))
    t.match(await store.begin(scope, 'other'), { outcome: 'new', takeover: false })
  },
  'S0.7 after its time the key is free, and an old token is worth nothing': async (t, open) => {
    const store = await open(t, { ttlMs: 60 })
    const first = await store.begin(scope, 'fp')
    if (first.outcome !== 'new') throw new Error('not new')
    await store.done(scope, first.token, 'old')
    const again = await until('new', () => store.begin(scope, 'other'))
    t.match(again, { takeover: false })
    t.equal(await store.done(scope, first.token, 'stale'), false)
  },
  'the last word about a sandbox is kept for as long': async (t, open) => {
    const store = await open(t)
    t.equal(await store.recall('default', 'sbx-1'), undefined)
    await store.remember('default', 'sbx-1', 'ended')
    t.equal(await store.recall('default', 'sbx-1'), 'ended')
    t.equal(await store.recall('other', 'sbx-1'), undefined)
    const short = await open(t, { ttlMs: 30 })
    await short.remember('default', 'sbx-2', 'ended')
    for (let turn = 0; (await short.recall('default', 'sbx-2')) !== undefined; turn++) {
      if (turn > 1_000) t.fail('it is never forgotten')
      await sleep(5)
    }
  }
}

t.test('S0.5 in memory', async t => {
  for (const [name, test] of Object.entries(suite))
    await t.test(name, t => test(t, async (_, times) => new MemoryStore(systemClock, { ...usual, ...times })))
})

t.test('S0.5 in Redis', { skip: noRedis ?? false }, async t => {
  const { url } = await redisServer(t)
  const open: Open = async (t, times) => {
    const store = await RedisStore.open({ url, log: recordingLog().log, ...usual, ...times })
    t.teardown(() => store.close())
    return store
  }
  for (const [name, test] of Object.entries(suite)) {
    await t.test(name, async t => {
      const { Redis } = await import('ioredis')
      const redis = new Redis(url)
      await redis.flushall()
      redis.disconnect()
      await test(t, open)
    })
  }
})

t.test('S0.6 what Redis knows outlives the service', { skip: noRedis ?? false }, async t => {
  const { url } = await redisServer(t)
  const { log } = recordingLog()
  const before = await RedisStore.open({ url, log, ...usual })
  const begun = await before.begin(scope, 'fp')
  if (begun.outcome === 'new') await before.done(scope, begun.token, 'answer')
  await before.close()
  const after = await RedisStore.open({ url, log, ...usual })
  t.teardown(() => after.close())
  t.strictSame(await after.begin(scope, 'fp'), { outcome: 'replay', response: 'answer' })
})

t.test('a Redis that is not there says so at once, and is used when it comes', { skip: noRedis ?? false }, async t => {
  const server = await redisServer(t)
  await server.stop()
  const { log, lines } = recordingLog()
  const store = await RedisStore.open({ url: server.url, log, ...usual })
  t.teardown(() => store.close())
  await t.rejects(store.begin(scope, 'fp'), StoreUnavailable)
  t.match(
    lines.map(line => line.msg),
    [/^cannot reach Redis at 127\.0\.0\.1:\d+: .*; retrying$/]
  )
  await server.start()
  const begun = await until('new', () => store.begin(scope, 'fp').catch(() => ({ outcome: 'mismatch' })))
  t.match(begun, { outcome: 'new' })
  t.match(lines.at(-1).msg, /answers again$/)
  await server.stop()
  await t.rejects(store.recall('default', 'x'), StoreUnavailable)
})

t.test('closing a store that never had a Redis ends', async t => {
  const { log } = recordingLog()
  const store = await RedisStore.open({ url: `redis://127.0.0.1:${await freePort()}`, log, ...usual })
  await store.close()
  await t.rejects(store.begin(scope, 'fp'), StoreUnavailable)
})
