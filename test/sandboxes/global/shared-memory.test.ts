import t, { type Test } from 'tap'
import { RedisStore } from '../../../extender/sandboxes/global/redis-store.ts'
import { sandboxIdOf } from '../../../extender/sandboxes/identity.ts'
import { PlacementReason } from '../../../extender/sandboxes/proto/generated/sandbox/v1/placement_pb.js'
import { untilTrue } from '../../embedded/until.ts'
import { noRedis, redisServer } from '../redis-server.ts'
import { FakeCluster } from './fake-cluster.ts'
import { entryOf, frontDoor } from './front-door.ts'

const keyed = { projectId: 'shop', idempotencyKey: 'k1' }
const id = sandboxIdOf({ tenant: '', ...keyed })
const skip = noRedis ?? false

async function two(t: Test) {
  const redis = await redisServer(t)
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const preferA = [entryOf(a), entryOf(b, { priority: 1 })]
  const preferB = [entryOf(a, { priority: 1 }), entryOf(b)]
  return { redis, a, b, preferA, preferB }
}

t.test('S0.29 S0.6 with Redis, placements survive a restart, and nobody has to be asked', { skip }, async t => {
  const { redis, b, preferA, preferB } = await two(t)
  const before = await frontDoor(t, preferA, { redis: redis.url })
  const first = await before.sandboxes.createSandbox(keyed)
  await before.server.close()
  const { sandboxes } = await frontDoor(t, preferB, { redis: redis.url })
  const again = await sandboxes.createSandbox(keyed)
  t.match([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
  t.equal(again.placement?.reason, PlacementReason.STICKY)
  t.equal((await sandboxes.getSandbox({ id })).sandbox?.uid, first.sandbox?.uid)
  t.strictSame(b.calls, [])
})

t.test(
  'S0.29 several front doors at once make one sandbox, even when they prefer different clusters',
  { skip },
  async t => {
    const { redis, a, b, preferA, preferB } = await two(t)
    const doors = await Promise.all(
      [preferA, preferB, preferA].map(entries => frontDoor(t, entries, { redis: redis.url }))
    )
    const answers = await Promise.all(
      doors.flatMap(({ sandboxes }) => Array.from({ length: 10 }, () => sandboxes.createSandbox(keyed)))
    )
    t.equal(new Set(answers.map(({ sandbox }) => sandbox?.uid)).size, 1)
    t.equal(a.sandboxes.size + b.sandboxes.size, 1)
  }
)

t.test('S0.29 what a front door intended when it ended is looked for there first', { skip }, async t => {
  const { redis, a, b, preferA, preferB } = await two(t)
  a.manner = 'stalls'
  const before = await frontDoor(t, preferA, { redis: redis.url })
  const creating = before.sandboxes.createSandbox(keyed).catch(() => undefined)
  await untilTrue('the create is under way at a', () => a.stalled > 0)
  // It has written down its intention, and nothing more is heard of it.
  const { sandboxes } = await frontDoor(t, preferB, { redis: redis.url })
  a.manner = 'serves'
  const { sandbox, placement } = await sandboxes.createSandbox(keyed)
  t.equal(placement?.cluster, 'a')
  a.proceed()
  await creating
  t.strictSame([a.sandboxes.get(id)?.uid, b.sandboxes.size], [sandbox?.uid, 0])
})

t.test(
  'S0.29 what it intended on a cluster that is gone is placed elsewhere, and released when it is back',
  { skip },
  async t => {
    const { redis, a, b, preferA } = await two(t)
    const store = await RedisStore.open(redis.url)
    t.teardown(() => store.close())
    await store.swap(id, undefined, { cluster: 'a', state: 'intended', token: 'of-another-life' })
    const { sandboxes, pass } = await frontDoor(t, preferA, { redis: redis.url })
    await a.kill()
    t.equal((await sandboxes.createSandbox(keyed)).placement?.cluster, 'b')
    t.strictSame(
      (await store.debts()).map(debt => [debt.cluster, debt.id]),
      [['a', id]]
    )
    await a.revive()
    await pass(() => a.count('release') > 1, 5_000)
    await untilTrue('it stays released', () => a.live.length === 0)
    t.equal(b.live.length, 1)
  }
)

t.test('S0.29 releases that are owed outlive the front door', { skip }, async t => {
  const { redis, a, b, preferA } = await two(t)
  const before = await frontDoor(t, preferA, { redis: redis.url })
  a.manner = 'stalls'
  const creating = before.sandboxes.createSandbox(keyed)
  await untilTrue('the create is under way at a', () => a.stalled > 0)
  await before.pass(() => b.count('create') > 0, 1_000, 1)
  await creating
  await before.server.close()
  a.proceed()
  a.manner = 'serves'
  await untilTrue('a has made it all the same', () => a.sandboxes.size === 1)
  const releases = a.count('release')
  const { pass } = await frontDoor(t, preferA, { redis: redis.url })
  await pass(() => a.count('release') > releases && a.live.length === 0, 1_000)
  t.equal(b.live.length, 1)
})

t.test('without its Redis a front door goes on, asking the clusters', { skip }, async t => {
  const { redis, a, b, preferA, preferB } = await two(t)
  const before = await frontDoor(t, preferA, { redis: redis.url })
  const first = await before.sandboxes.createSandbox(keyed)
  await before.server.close()
  const { sandboxes, metric } = await frontDoor(t, preferB, { redis: redis.url })
  await redis.stop()
  const again = await sandboxes.createSandbox(keyed)
  t.match([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
  t.equal((await sandboxes.createSandbox({ projectId: 'blog' })).placement?.cluster, 'b')
  t.strictSame([a.sandboxes.size, b.sandboxes.size], [1, 1])
  t.equal((await metric('muster_sandbox_placement_store_errors_total')).length, 1)
})
