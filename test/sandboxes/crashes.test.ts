import { setTimeout as sleep } from 'node:timers/promises'
import { Code, type ConnectError } from '@connectrpc/connect'
import t, { type Test } from 'tap'
import type { CreateSandboxResponse } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { Reason, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { type Death, dying, faulty } from './dying.ts'
import { noRedis, type RedisServer, redisServer } from './redis-server.ts'
import { cleared, type Cluster, cluster, publisher, type Service, service, until } from './rig.ts'

const skip = noRedis ?? false
const wish = { projectId: 'p1', idempotencyKey: 'k1' }
const lease = 200

/** Asks as a client does that was told to come again. */
async function persistently(it: Service): Promise<CreateSandboxResponse> {
  for (let turn = 0; turn < 1_000; turn++) {
    try {
      return await it.sandboxes.createSandbox(wish)
    } catch (error) {
      if ((error as ConnectError).code !== Code.Aborted) throw error
      await sleep(5)
    }
  }
  throw new Error('it is in flight for ever')
}

/** Starts a service, asks it for a sandbox, and lets it die at that step. */
async function killed(t: Test, on: Cluster, redis: string, death: Death) {
  const { wrap, died } = dying(death)
  const it = await service(t, on, { redis, wrap, lease })
  void it.sandboxes.createSandbox(wish).catch(() => {})
  await died
  await it.close()
}

const podsMade = (on: Cluster) => on.writes().filter(write => write === 'create pods 201').length

t.test('S0.3 S0.4 whenever the service dies on the way, the same request ends with one sandbox', { skip }, async t => {
  const { url } = await redisServer(t)
  const deaths: Record<string, { death: Death; created: boolean }> = {
    'after begin, before the Service': { death: { when: 'before', step: 'create services' }, created: true },
    'after the Service, before its answer': { death: { when: 'after', step: 'create services' }, created: false },
    'after the Service, before the pod': { death: { when: 'before', step: 'create pods' }, created: false },
    'after the pod, before it is recorded': { death: { when: 'before', step: 'patch services' }, created: false },
    'after the record, before done': { death: { when: 'after', step: 'patch services' }, created: false }
  }
  for (const [name, { death, created }] of Object.entries(deaths))
    await t.test(name, async t => {
      await flushed(url)
      const on = await cluster(t)
      await killed(t, on, url, death)
      const fresh = await service(t, on, { redis: url, lease })
      const answer = await persistently(fresh)
      t.equal(answer.created, created)
      const ready = await until(fresh, answer.sandbox!.id, State.READY)
      t.equal(ready.uid, answer.sandbox?.uid)
      t.strictSame([on.services().length, on.pods().length, podsMade(on)], [1, 1, 1])
    })
})

t.test('a claim without a pod gets one, though nobody asks again', async t => {
  const on = await cluster(t)
  const { wrap, died } = dying({ when: 'before', step: 'create pods' })
  const it = await service(t, on, { wrap })
  void it.sandboxes.createSandbox({ projectId: 'p1' }).catch(() => {})
  await died
  await it.close()
  t.equal(on.pods().length, 0)
  const fresh = await service(t, on)
  const [{ metadata }] = on.services()
  await until(fresh, metadata.name, State.READY)
})

t.test('whenever the service dies while it clears up, the next one goes on', async t => {
  const deaths: Record<string, Death> = {
    'after it is over, before the pod goes': { when: 'before', step: 'remove pods' },
    'after the pod, before the news are out': { when: 'after', step: 'remove pods' },
    'after the news, before the finalizer goes': { when: 'before', step: 'patch services', nth: 3 },
    'after the finalizer, before the Service goes': { when: 'before', step: 'remove services' }
  }
  for (const [name, death] of Object.entries(deaths))
    await t.test(name, async t => {
      const on = await cluster(t)
      const { publish, events } = publisher(t)
      const { wrap, died } = dying(death)
      const it = await service(t, on, { wrap, enableEvents: true, publisher: { publish } })
      const { sandbox } = await it.sandboxes.createSandbox(wish)
      await until(it, sandbox!.id, State.READY)
      void it.sandboxes.releaseSandbox({ id: sandbox!.id }).catch(() => {})
      await died
      await it.close()
      const { clock } = it
      // Whoever ended it is given a moment to clear up.
      clock.advance(5_000)
      await service(t, on, { clock, enableEvents: true, publisher: { publish } })
      await cleared(on)
      t.ok(events.length > 0, 'somebody was told')
      t.strictSame(new Set(events.map(({ id }) => id)), new Set([`${sandbox!.uid}.terminated`]))
      t.ok(events.every(event => event.sandbox?.reason === Reason.RELEASED))
    })
})

t.test('S0.6 with Redis the answer to a key outlives the service, alive or ended', { skip }, async t => {
  const { url } = await redisServer(t)
  const on = await cluster(t)
  const before = await service(t, on, { redis: url })
  const live = await before.sandboxes.createSandbox(wish)
  const ended = await before.sandboxes.createSandbox({ ...wish, idempotencyKey: 'k2' })
  const { sandbox: end } = await before.sandboxes.releaseSandbox({ id: ended.sandbox!.id })
  await untilTrue('it is cleared away', () => on.service(ended.sandbox!.id) === undefined)
  await before.close()
  const after = await service(t, on, { redis: url })
  t.match(await after.sandboxes.createSandbox(wish), { created: false, sandbox: { uid: live.sandbox!.uid } })
  const again = await after.sandboxes.createSandbox({ ...wish, idempotencyKey: 'k2' })
  t.equal(again.created, false)
  t.strictSame(again.sandbox, end)
  t.equal(on.pods().length, 1)
})

t.test('without Redis the API server decides alone, and only what has ended is forgotten', { skip }, async t => {
  const redis = await redisServer(t)
  const degraded = 'muster_sandbox_idempotence_degraded_total'
  await t.test('that is lost: a sandbox that lives is found all the same', async t => {
    const on = await cluster(t)
    const it = await service(t, on, { redis: redis.url })
    const { sandbox } = await it.sandboxes.createSandbox(wish)
    await flushed(redis.url)
    t.match(await it.sandboxes.createSandbox(wish), { created: false, sandbox: { uid: sandbox!.uid } })
  })
  await t.test('that is down in the middle', async t => {
    const on = await cluster(t)
    const halt = { now: false }
    const wrap = faulty(step => (halt.now && step === 'create pods' ? void redis.stop() : undefined))
    const it = await service(t, on, { redis: redis.url, wrap })
    halt.now = true
    const { sandbox, created } = await it.sandboxes.createSandbox({ projectId: 'mid', idempotencyKey: 'mid' })
    t.equal(created, true)
    t.equal(await it.metric(`${degraded}{operation="done"}`), 1)
    await until(it, sandbox!.id, State.READY)
    await it.sandboxes.releaseSandbox({ id: sandbox!.id })
    await cleared(on)
    t.equal(await it.metric(`${degraded}{operation="remember"}`), 1)
  })
  await t.test('that is down from the start, and comes later', async t => {
    const on = await cluster(t)
    const it = await service(t, on, { redis: redis.url })
    const { sandbox } = await it.sandboxes.createSandbox(wish)
    t.match(await it.sandboxes.createSandbox(wish), { created: false, sandbox: { uid: sandbox!.uid } })
    t.ok(((await it.metric(`${degraded}{operation="begin"}`)) ?? 0) >= 2)
    await redis.start()
    await untilTrue('it answers', () => it.lines.some(({ msg }) => msg.endsWith('answers again')))
    t.match(await it.sandboxes.createSandbox(wish), { created: false, sandbox: { uid: sandbox!.uid } })
  })
  await t.test('--idempotence-strict refuses instead', t => strictly(t, redis))
})

async function strictly(t: Test, redis: RedisServer) {
  const on = await cluster(t)
  const it = await service(t, on, { redis: redis.url, idempotenceStrict: true })
  await redis.stop()
  const answer = await it.ask('POST', '/v1/sandboxes', wish)
  t.match(answer, { status: 503, body: { code: 'unavailable', message: /^the idempotence store does not answer/ } })
  t.equal(answer.headers['retry-after'], '1')
  t.equal(on.services().length, 0)
  const byProject = await it.sandboxes.createSandbox({ projectId: 'p1' })
  t.equal(byProject.created, true, 'a project is its own key, which needs no store')
}

async function flushed(url: string): Promise<void> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}
