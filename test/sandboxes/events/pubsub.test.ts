import { Code, type ConnectError } from '@connectrpc/connect'
import t, { type Test } from 'tap'
import type { WatchEventsResponse } from '../../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { event, events, sandbox, subscribe, until } from './rig.ts'
import { terminatedEvent } from '../../../extender/sandboxes/events/cloud-event.ts'

type Watching = AsyncIterator<WatchEventsResponse, void, undefined>
/** A reader of a Connect stream; it leaves with the test. */
function watching(t: Test, open: (options: { signal: AbortSignal }) => AsyncIterable<WatchEventsResponse>): Watching {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  return open({ signal: stop.signal })[Symbol.asyncIterator]() as Watching
}
const nextOf = async (watch: Watching) => {
  const { value } = await watch.next()
  return value?.message
}

t.test(
  'S0.20 S0.21 S0.24 each of two subscribers gets the event as it happens, and the publisher knows neither',
  async t => {
    const { url, service } = await events(t)
    const first = await subscribe(t, url)
    const second = await subscribe(t, url)
    const third = watching(t, stop => service.watchEvents({}, stop))
    t.equal((await nextOf(third))?.case, 'heartbeat', 'the third is connected')
    t.strictSame((await service.publish({ event: event('a') })).accepted, true)
    await until(() => first.told().length > 0 && second.told().length > 0)
    for (const { told } of [first, second]) {
      const [{ event: type, data, id }] = told() as [{ event: string; data: Record<string, unknown>; id: string }]
      t.equal(type, 'sandbox.terminated.v1')
      t.match(data, { specversion: '1.0', id: 'a.terminated', source: '/clusters/west/namespaces/sandboxes' })
      t.match(id, /^\d+$/)
    }
    const told = await nextOf(third)
    t.equal(told?.case === 'event' && told.value.event?.sandbox?.id, 'sbx-a')
  }
)

t.test('S0.19 the event says of which sandbox and project, why, and when', async t => {
  const { url, service } = await events(t)
  await service.publish({ event: event('a') })
  const { told } = await subscribe(t, url)
  await until(() => told().length > 0)
  t.strictSame(told()[0]!.data, {
    specversion: '1.0',
    id: 'a.terminated',
    source: '/clusters/west/namespaces/sandboxes',
    type: 'sandbox.terminated.v1',
    subject: 'sbx-a',
    time: '2026-01-02T03:05:00Z',
    datacontenttype: 'application/json',
    partitionkey: 'shop',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    data: {
      eventType: 'TERMINATED',
      ...{ sandbox: 'sbx-a', project: 'shop', uid: 'a', tenant: 'default', state: 'TERMINATED', launch: 'WARM' },
      ...{ cluster: 'west', namespace: 'sandboxes', node: 'n1', pod: 'pool-a', podIp: '10.1.2.3', port: 8080 },
      ...{ hostname: 'sbx-a.sandboxes.svc', template: 'default', priority: -3, retainCount: 0, ttl: '900s' },
      ...{ createdAt: '2026-01-02T03:01:00Z', readyAt: '2026-01-02T03:02:00Z' },
      ...{ expiresAt: '2026-01-02T03:16:00Z', terminatedAt: '2026-01-02T03:05:00Z' },
      reason: 'FAILED',
      failure: { phase: 'RUNTIME', code: 'OOM_KILLED', exitCode: 137, message: 'out of memory' }
    }
  })
})

t.test('S0.22 each event is one line in the log', async t => {
  const { service, lines } = await events(t)
  await service.publish({ event: event('a') })
  t.match(
    lines.filter(({ msg }) => msg === 'a sandbox has ended'),
    [{ event: { id: 'a.terminated', data: { reason: 'FAILED', project: 'shop' } } }]
  )
})

t.test('the same death told by two replicas at once is one record', async t => {
  const { service, ask, metric } = await events(t)
  const answers = await Promise.all(Array.from({ length: 20 }, () => service.publish({ event: event('a') })))
  t.equal(answers.filter(({ accepted }) => accepted).length, 1)
  t.equal((await ask('GET', '/v1/events')).body.events.length, 1)
  t.equal(await metric('muster_sandbox_events_published_total{result="duplicate"}'), 19)
  const elsewhere = terminatedEvent(sandbox('a', { cluster: 'east' }))
  t.equal((await service.publish({ event: elsewhere })).accepted, true, 'of another cluster it is another')
})

t.test('a subscriber that comes back goes on where it was', async t => {
  const { url, service } = await events(t)
  const first = await subscribe(t, url)
  for (const uid of ['a', 'b']) await service.publish({ event: event(uid) })
  await until(() => first.told().length === 2)
  first.stop()
  for (const uid of ['c', 'd']) await service.publish({ event: event(uid) })
  const again = await subscribe(t, url, { 'last-event-id': first.told()[1]!.id! })
  await until(() => again.told().length === 2)
  t.strictSame(
    again.told().map(({ data }) => data.id),
    ['c.terminated', 'd.terminated']
  )
  const after = BigInt(first.told()[0]!.id!)
  const watch = watching(t, stop => service.watchEvents({ after }, stop))
  await nextOf(watch)
  const told = await nextOf(watch)
  t.equal(told?.case === 'event' && told.value.event?.id, 'b.terminated')
})

t.test('a place of an earlier process is a gap, and what is there follows', async t => {
  const { url, service, ask, metric } = await events(t)
  await service.publish({ event: event('a') })
  const { body } = await ask('GET', '/v1/events?after=7')
  t.match(body, { gap: true, events: [{ event: { id: 'a.terminated' } }] })
  const { sequence } = body.events[0]
  const { told } = await subscribe(t, url, { 'last-event-id': '7' })
  await until(() => told().length === 2)
  t.match(told(), [{ event: 'gap', data: { next: sequence } }, { id: String(sequence) }])
  const listed = await service.listEvents({ after: 7n })
  t.strictSame([listed.gap, listed.events.length], [true, 1])
  const watch = watching(t, stop => service.watchEvents({ after: BigInt(sequence + 50) }, stop))
  await nextOf(watch)
  t.match(await nextOf(watch), { case: 'gap', value: { next: BigInt(sequence) } })
  t.equal(await metric('muster_sandbox_events_gaps_total'), 2)
})

t.test('polling goes on from what the answer says', async t => {
  const { service, ask } = await events(t)
  const none = (await ask('GET', '/v1/events')).body
  t.match(none, { events: [], gap: false })
  for (const uid of ['a', 'b', 'c']) await service.publish({ event: event(uid) })
  const seen: string[] = []
  let { after } = none
  for (let turn = 0; turn < 3; turn += 1) {
    const { body } = await ask('GET', `/v1/events?after=${after}&limit=2`)
    t.equal(body.gap, false)
    for (const each of body.events) seen.push(each.event.id)
    after = body.after
  }
  t.strictSame(seen, ['a.terminated', 'b.terminated', 'c.terminated'])
  const page = await service.listEvents({ pageSize: 2 })
  t.strictSame([page.events.length, page.gap], [2, false])
})

t.test('a quiet stream has heartbeats', async t => {
  const clock = new ManualClock()
  const { url, service } = await events(t, { clock })
  const { heard, told } = await subscribe(t, url)
  const watch = watching(t, stop => service.watchEvents({}, stop))
  await nextOf(watch)
  const beats = () => heard.filter(({ comment }) => comment === 'heartbeat').length
  await clock.until(() => beats() >= 3, 5_000)
  t.equal((await nextOf(watch))?.case, 'heartbeat')
  t.strictSame(told(), [])
})

t.test('closing ends every stream, and nothing of them stays', async t => {
  const { url, service, close, metric } = await events(t)
  const { ended } = await subscribe(t, url)
  const left = await subscribe(t, url)
  left.stop()
  const watch = watching(t, stop => service.watchEvents({}, stop))
  await nextOf(watch)
  await until(async () => (await metric('muster_sandbox_events_readers')) === 2)
  const last = watch.next().catch((error: unknown) => error as ConnectError)
  await close()
  t.equal(await ended, 'ended')
  t.equal(((await last) as ConnectError).code, Code.Unavailable)
  t.equal(await metric('muster_sandbox_events_readers'), 0)
})
