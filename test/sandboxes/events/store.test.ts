import { Redis } from 'ioredis'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { systemClock } from '../../../extender/clock.ts'
import { memoryStore } from '../../../extender/sandboxes/events/memory-store.ts'
import { redisStore } from '../../../extender/sandboxes/events/redis-store.ts'
import type { EventStore } from '../../../extender/sandboxes/events/store.ts'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { noRedis, type RedisServer, redisServer } from '../redis-server.ts'
import { answering, event, events, receiver, until } from './rig.ts'

const log = pino({ level: 'silent' })
const skip = noRedis ?? false
const hook = 'http://a/'
const attempts = (result: string) => `muster_sandbox_events_webhook_attempts_total{result="${result}"}`
const named = (id: string) => ({ key: `/source ${id}`, id, body: `{"id":"${id}"}` })

const stores: Record<string, { skip: string | false; open: (t: Test) => Promise<EventStore> }> = {
  memory: { skip: false, open: async () => memoryStore(systemClock) },
  Redis: { skip, open: async t => redisStore((await redisServer(t)).url, systemClock, log) }
}

for (const [name, { skip: why, open }] of Object.entries(stores))
  t.test(`${name}: the same event is recorded once, and numbers only grow`, { skip: why }, async t => {
    const store = await open(t)
    t.teardown(() => store.close())
    const { sequence: start, events: none } = await store.restore([hook])
    t.strictSame(none, [])
    const together = await Promise.all(Array.from({ length: 50 }, () => store.record(named('a'), [hook])))
    t.strictSame(
      together.filter(each => each !== undefined),
      [start + 1]
    )
    const others = await Promise.all(['b', 'c', 'd'].map(id => store.record(named(id), [hook])))
    t.strictSame(others, [start + 2, start + 3, start + 4])
    t.equal(await store.record({ ...named('a'), key: '/elsewhere a' }, [hook]), start + 5)
    t.equal(store.problem(), undefined)
  })

t.test('memory: after a day the same event is a new one', async t => {
  const clock = new ManualClock()
  const store = memoryStore(clock)
  t.type(await store.record(named('a'), []), 'number')
  clock.advance(24 * 3_600_000 - 1)
  t.equal(await store.record(named('a'), []), undefined)
  clock.advance(2)
  t.type(await store.record(named('a'), []), 'number')
})

const restarted = (t: Test, { url: redis }: RedisServer, webhooks: readonly string[], more = {}) =>
  events(t, { redis, webhooks, allowPrivate: true, ...more })

t.test('with Redis, a restart loses no event, no delivery and no dead letter', { skip }, async t => {
  const redis = await redisServer(t)
  let up = false
  const late = await receiver(t, (response, call, index) => answering(up ? 200 : 500)(response, call, index))
  const gone = await receiver(t, answering(410))
  const webhooks = [late.url, gone.url]
  const clock = new ManualClock()
  const first = await restarted(t, redis, webhooks, { clock })
  for (const uid of ['a', 'b']) await first.service.publish({ event: event(uid) })
  await until(async () => (await first.metric(attempts('failed'))) === 2 && gone.calls.length > 0)
  await until(async () => (await first.metric('muster_sandbox_events_dead_letters')) === 2)
  await first.close()
  up = true
  clock.advance(10_000)

  const second = await restarted(t, redis, webhooks, { clock })
  t.equal((await second.service.publish({ event: event('a') })).accepted, false, 'it is known')
  const { events: listed } = await second.service.listEvents({})
  t.strictSame(
    listed.map(each => [each.event?.id, each.event?.sandbox?.failure?.exitCode]),
    [
      ['a.terminated', 137],
      ['b.terminated', 137]
    ]
  )
  await second.service.publish({ event: event('c') })
  const after = listed.at(-1)!.sequence
  t.equal((await second.service.listEvents({ after })).events[0]?.sequence, after + 1n, 'numbers go on')
  await until(async () => (await second.metric(attempts('delivered'))) === 3)
  t.strictSame(
    late.calls.map(({ headers }) => String(headers['webhook-id'])).toSorted(),
    ['a', 'a', 'b', 'b', 'c'].map(uid => `${uid}.terminated`)
  )
  t.ok(gone.calls.length <= 2, 'who answered 410 is asked nothing more')
  t.strictSame(
    (await second.service.listDeadLetters({})).deadLetters.map(({ eventId }) => eventId).toSorted(),
    ['a', 'b', 'c'].map(uid => `${uid}.terminated`)
  )
  await second.close()

  const third = await restarted(t, redis, webhooks, { clock })
  t.equal(await third.metric('muster_sandbox_events_webhook_queue'), 0, 'what was delivered is not sent again')
})

t.test('while Redis is away, nothing is accepted that could be lost', { skip }, async t => {
  const redis = await redisServer(t)
  const { service, ask, metric } = await events(t, { redis: redis.url })
  await redis.stop()
  await until(async () => (await ask('GET', '/readyz')).status === 503)
  const answer = await ask('POST', '/sandbox.v1.EventsService/Publish', { event: { id: 'x' } })
  t.equal(answer.status, 400, 'what is wrong is wrong all the same')
  await t.rejects(service.publish({ event: event('a') }), /the store of events does not answer; send the event again/)
  t.equal(await metric('muster_sandbox_events_published_total{result="failed"}'), 1)
  await redis.start()
  await until(async () => (await ask('GET', '/readyz')).status === 200)
  t.equal((await service.publish({ event: event('a') })).accepted, true)
})

t.test('an event that was recorded, but whose answer was lost, is told when it is sent again', { skip }, async t => {
  const redis = await redisServer(t)
  const { url, calls } = await receiver(t)
  const { service, ask, metric } = await restarted(t, redis, [url])
  const other = new Redis(redis.url)
  t.teardown(() => other.disconnect())
  await other.client('PAUSE', 2_500, 'ALL')
  await t.rejects(service.publish({ event: event('a') }), /send the event again/)
  await other.ping()
  t.equal((await service.publish({ event: event('a') })).accepted, true)
  t.equal((await service.publish({ event: event('a') })).accepted, false)
  await until(async () => (await metric(attempts('delivered'))) === 1)
  t.equal(calls.length, 1)
  t.equal((await ask('GET', '/v1/events')).body.events.length, 1)
})
