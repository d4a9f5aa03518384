import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { terminatedEvent } from '../../../extender/sandboxes/events/cloud-event.ts'
import { EventLog, logBounds } from '../../../extender/sandboxes/events/event-log.ts'
import { FanOut } from '../../../extender/sandboxes/events/fan-out.ts'
import { Hooks } from '../../../extender/sandboxes/events/hooks.ts'
import { memoryStore } from '../../../extender/sandboxes/events/memory-store.ts'
import { eventMetrics } from '../../../extender/sandboxes/events/metrics.ts'
import { Readers, type Told } from '../../../extender/sandboxes/events/readers.ts'
import { eventRoutes } from '../../../extender/sandboxes/events/routes.ts'
import { Receiver } from '../../../extender/sandboxes/events/webhooks/receiver.ts'
import { Webhooks } from '../../../extender/sandboxes/events/webhooks/webhooks.ts'
import type { Event } from '../../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import { Reason } from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import type { ServerOptions } from '../../../extender/sandboxes/server.ts'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { serve } from '../serve.ts'
import { event, events, sandbox, until } from './rig.ts'

/** The parts behind the server, so that many events take little time. */
async function parts(t: Test, bounds = logBounds) {
  const clock = new ManualClock()
  const registry = new Registry()
  const metrics = eventMetrics(registry)
  const log = pino({ level: 'silent' })
  const store = memoryStore(clock)
  const remembered = await store.restore([])
  const eventLog = new EventLog(remembered.sequence, bounds)
  // Takes what is sent, and answers never.
  const post = { send: () => new Promise<never>(() => {}), close: async () => {} }
  const webhook = { url: 'http://stuck/', keys: [Buffer.alloc(24)] }
  const receiver = new Receiver({ webhook, post, store, clock, random: () => 0, log, metrics })
  const webhooks = new Webhooks([receiver], remembered)
  t.teardown(() => webhooks.close())
  const hooks = new Hooks({ hooks: [], log, metrics })
  const fanOut = new FanOut({ store, eventLog, webhooks, hooks, log, metrics })
  return {
    clock,
    registry,
    metrics,
    eventLog,
    webhooks,
    fanOut,
    readers: new Readers({ log: eventLog, clock, metrics })
  }
}

/** The same for another sandbox; cheaper than a new one. */
const renamed = (base: Event, uid: string): Event => {
  const ended = { ...base.sandbox!, uid, id: `sbx-${uid}` }
  return { ...base, id: `${uid}.terminated`, subject: ended.id, sandbox: ended }
}

t.test('100,000 events before a slow reader and a stuck webhook: all that is kept is bounded', async t => {
  const { registry, eventLog, webhooks, fanOut, readers } = await parts(t)
  const base = event('first')
  const stop = new AbortController()
  const slow = readers.follow(0, stop.signal)
  await slow.next()
  await fanOut.publish(base)
  const { value: first } = (await slow.next()) as { value: Told }
  t.equal(first.kind === 'event' && first.recorded.event.id, 'first.terminated')
  for (let index = 0; index < 100_000; index += 1) {
    await fanOut.publish(renamed(base, `e${index}`))
    // The reader, the webhook and the timers have their turns too.
    if (index % 1_000 === 0) await turn()
  }
  t.equal(eventLog.size, logBounds.events)
  t.strictSame([webhooks.queued, webhooks.deadCount], [1_000, 1_000])
  t.match(await registry.metrics(), 'muster_sandbox_events_dead_letters_dropped_total 98001')
  const { value: gap } = (await slow.next()) as { value: Told }
  t.strictSame(gap, { kind: 'gap', next: eventLog.start + 1 })
  const { value: next } = (await slow.next()) as { value: Told }
  t.equal(next.kind === 'event' && next.recorded.event.id, 'e90000.terminated')
  stop.abort()
  t.equal((await slow.return(undefined)).done, true)
})

t.test('the log is bounded by size too', async t => {
  const log = new EventLog(0, { events: 1_000, bytes: 10_000 })
  for (let sequence = 1; sequence <= 500; sequence += 1)
    log.append({ sequence, event: event('a'), body: 'x'.repeat(100) })
  t.strictSame([log.size, log.start, log.end], [100, 400, 500])
  t.strictSame(
    log.since(450, 2).events.map(({ sequence }) => sequence),
    [451, 452]
  )
  t.equal(log.since(399, 2).gap, 401)
})

/** Some 8 kB, so that few of them fill what a socket holds. */
function large(uid: string) {
  const [text, words] = ['x'.repeat(200), '€'.repeat(1_000)]
  const names = { tenant: text, hostname: text, pod: text, podIp: text, node: text, template: text }
  return terminatedEvent(sandbox(uid, { ...names, launchReason: words, reason: Reason.EXPIRED, failure: undefined }))
}

/** A reader of the stream that takes nothing from its socket until it is resumed. */
async function deaf(t: Test, url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.pause()
  socket.write(`GET /v1/events HTTP/1.1\r\nhost: ${hostname}\r\naccept: text/event-stream\r\n\r\n`)
  return socket
}

t.test('S0.24 a reader that takes nothing costs what its socket holds, and gets a gap', async t => {
  const { registry, eventLog, fanOut, readers } = await parts(t, { events: 50, bytes: 1e6 })
  const routes: ServerOptions['routes'] = (app, closing) => eventRoutes(app, { eventLog, readers }, closing)
  const { url } = await serve(t, { registry, routes })
  const socket = await deaf(t, url)
  const metrics = (line: string) => async () => (await registry.metrics()).includes(`${line}\n`)
  await until(metrics('muster_sandbox_events_readers 1'))
  for (let index = 0; index < 3_000; index += 1) {
    await fanOut.publish(large(`e${index}`))
    // The socket takes what it can hold.
    await turn()
  }
  t.equal(eventLog.size, 50)
  let read = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    read = (read.includes('event: gap') ? read : read.slice(-1_000)) + chunk
  })
  socket.resume()
  await until(() => /event: gap\ndata: \{"next":\d+\}\n\n/.test(read) && read.includes('"id":"e2999.terminated"'))
  t.ok(await metrics('muster_sandbox_events_gaps_total 1')())
  const [, next] = /"next":(\d+)/.exec(read) ?? []
  t.match(read.slice(read.indexOf('event: gap')), `\nid: ${next}\n`, 'the first that follows')
})

t.test('a reader on whose socket nothing moves is cut off', async t => {
  const { url, service, metric } = await events(t, { stallMs: 200 })
  await deaf(t, url)
  const readers = async (count: number) => (await metric('muster_sandbox_events_readers')) === count
  await until(() => readers(1))
  await service.publish({ event: large('a') })
  await until(() => readers(0))
  const watch = service.watchEvents({})[Symbol.asyncIterator]()
  await watch.next()
  await watch.next()
  await t.rejects(watch.next(), 'over Connect too')
  await until(() => readers(0))
})

t.test('so many readers follow, and the next one is told to come later', async t => {
  const { readers, registry } = await parts(t)
  const stop = new AbortController()
  const open = Array.from({ length: 1_000 }, () => readers.follow(0, stop.signal))
  for (const each of open) await each.next()
  await t.rejects(readers.follow(0, stop.signal).next(), /1000 readers follow already; ask again later/)
  t.throws(() => readers.requireRoom(), { code: 8 })
  await open[0]!.return(undefined)
  await readers.follow(0, stop.signal).next()
  stop.abort()
  t.match(await registry.metrics(), 'muster_sandbox_events_readers 1000')
})
