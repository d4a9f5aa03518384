import { Code, ConnectError, createRouterTransport, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import t, { type Test } from 'tap'
import { Publisher } from '../../../extender/sandboxes/events/publisher.ts'
import { type Event, EventsService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { freePort } from '../redis-server.ts'
import { event, events, until } from './rig.ts'

const overHttp = (url: string) => createConnectTransport({ baseUrl: url, httpVersion: '1.1' })

/** A service that does as the test says. */
const scripted = (answer: (event: Event | undefined, signal: AbortSignal) => Promise<boolean>): Transport =>
  createRouterTransport(({ service }) =>
    service(EventsService, {
      publish: async ({ event: sent }, { signal }) => ({ accepted: await answer(sent, signal) })
    })
  )

function publisher(t: Test, transport: Transport, random = () => 1) {
  const clock = new ManualClock()
  const made = new Publisher({ transport, clock, random })
  t.teardown(() => made.close())
  return { clock, publisher: made }
}

const unavailable = (headers = {}) => new ConnectError('not now', Code.Unavailable, headers)

t.test('S0.21 the service is away for minutes, and has every event once it is back', async t => {
  const port = await freePort()
  const { clock, publisher: sender } = publisher(t, overHttp(`http://127.0.0.1:${port}`))
  const sent = ['a', 'b', 'c'].map(uid => sender.publish(event(uid)))
  const again = sender.publish(event('a'))
  t.equal(again, sent[0], 'the same event shares its promise')
  const began = clock.now()
  await clock.until(() => clock.now() - began > 300_000, 1_000)
  t.equal(sender.waiting, 3)
  const { ask } = await events(t, { port })
  await clock.until(() => sender.waiting === 0, 1_000)
  await Promise.all([...sent, again])
  const ids = (await ask('GET', '/v1/events')).body.events.map((each: { event: { id: string } }) => each.event.id)
  t.strictSame(ids.toSorted(), ['a.terminated', 'b.terminated', 'c.terminated'])
})

t.test('two replicas tell of the same death, and there is one record', async t => {
  const { url, ask } = await events(t)
  const replicas = [publisher(t, overHttp(url)), publisher(t, overHttp(url))]
  await Promise.all(replicas.map(each => each.publisher.publish(event('a'))))
  t.equal((await ask('GET', '/v1/events')).body.events.length, 1)
})

t.test('waits double from 100 ms to 30 s, with full jitter, and one event at a time asks for all', async t => {
  const calls: { readonly at: number; readonly id: string | undefined }[] = []
  const transport = scripted(async sent => {
    calls.push({ at: clock.now(), id: sent?.id })
    throw unavailable()
  })
  const { clock, publisher: sender } = publisher(t, transport)
  const all = ['a', 'b'].map(uid => sender.publish(event(uid)).catch(() => {}))
  // The first calls go out together; what follows is one at a time.
  await until(() => calls.length === 2)
  await clock.until(() => calls.length === 15, 100)
  const waits = calls.slice(2).map(({ at }, index) => at - calls[index + 1]!.at)
  t.strictSame(waits, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000, 30_000, 30_000])
  t.strictSame(
    calls.slice(2, 6).map(({ id }) => id),
    ['a.terminated', 'b.terminated', 'a.terminated', 'b.terminated'],
    'in turn'
  )
  sender.close()
  await Promise.all(all)
})

t.test('jitter goes down to nothing, and Retry-After is a floor', async t => {
  const asked = ['7', '0', 'soon', '']
  const times: number[] = []
  const transport = scripted(async () => {
    times.push(clock.now())
    const seconds = asked[times.length - 1]
    if (seconds === undefined) return true
    throw unavailable({ 'retry-after': seconds })
  })
  const { clock, publisher: sender } = publisher(t, transport, () => 0)
  const sent = sender.publish(event('a'))
  await until(() => times.length === 1)
  clock.advance(6_999)
  t.equal(times.length, 1)
  clock.advance(1)
  await until(() => times.length === 5)
  await sent
  t.strictSame(
    times.map(time => time - times[0]!),
    [0, 7_000, 7_000, 7_000, 7_000]
  )
})

t.test('a call that is not answered in 10 s is made again', async t => {
  let calls = 0
  const transport = scripted(async (_, signal) => {
    calls += 1
    if (calls > 1) return true
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))))
  })
  const { clock, publisher: sender } = publisher(t, transport)
  const sent = sender.publish(event('a'))
  await until(() => calls === 1)
  clock.advance(9_999)
  t.equal(calls, 1)
  await clock.until(() => sender.waiting === 0, 1)
  await sent
  t.equal(calls, 2)
})

t.test('what the service refuses as wrong is told, and holds up nothing', async t => {
  const transport = scripted(async sent => {
    if (sent?.id === 'a.terminated') throw new ConnectError('event.id: no', Code.InvalidArgument)
    return true
  })
  const { publisher: sender } = publisher(t, transport)
  const [first, second] = ['a', 'b'].map(uid => sender.publish(event(uid)))
  await t.rejects(first!, /event.id: no/)
  await second
  t.equal(sender.waiting, 0)
})

t.test('an event on which the service fails by itself holds up no other', async t => {
  const transport = scripted(async sent => {
    if (sent?.id === 'a.terminated') throw new ConnectError('a bug', Code.Internal)
    return true
  })
  const { clock, publisher: sender } = publisher(t, transport)
  const bad = sender.publish(event('a')).catch(() => {})
  const others = Array.from({ length: 20 }, (_, index) => sender.publish(event(`e${index}`)))
  await clock.until(() => sender.waiting === 1)
  await Promise.all(others)
  sender.close()
  await bad
})

t.test('after a day an event is given back, and so is what waits when it is closed', async t => {
  const { clock, publisher: sender } = publisher(
    t,
    scripted(async () => {
      throw unavailable({ 'retry-after': '99999' })
    })
  )
  const first = sender.publish(event('a')).catch((error: unknown) => error as Error)
  await clock.until(() => clock.pending > 0, 0)
  clock.advance(3_600_000)
  const second = sender.publish(event('b')).catch((error: unknown) => error as Error)
  clock.advance(23 * 3_600_000 - 1)
  t.equal(sender.waiting, 2)
  await clock.until(() => sender.waiting === 1, 1)
  t.match(await first, /did not take the event in 24h/)
  sender.close()
  t.match(await second, /is closed/)
  await t.rejects(sender.publish(event('c')), /is closed/)
  t.equal(clock.pending, 0)
})

t.test('the memory is bounded: the 10,001st event that waits is given back at once', async t => {
  const { publisher: sender } = publisher(
    t,
    scripted(async () => Promise.reject(unavailable()))
  )
  const waiting = Array.from({ length: 10_000 }, (_, index) => sender.publish(event(String(index))))
  await t.rejects(sender.publish(event('more')), /10000 events wait for the events service already/)
  t.equal(sender.waiting, 10_000)
  sender.close()
  t.equal((await Promise.allSettled(waiting)).filter(({ status }) => status === 'rejected').length, 10_000)
})
