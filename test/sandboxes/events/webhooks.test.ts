import { Webhook } from 'standardwebhooks'
import t from 'tap'
import type { Clock } from '../../../extender/clock.ts'
import { waits } from '../../../extender/sandboxes/events/webhooks/schedule.ts'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { answering, event, events, receiver, secret, until } from './rig.ts'

const attempts = (result: string) => `muster_sandbox_events_webhook_attempts_total{result="${result}"}`
const longestWait = 24 * 3_600_000

const toLoopback = async () => [{ address: '127.0.0.1', family: 4 }]

/** Time that a test moves by hand, and that keeps to the schedule exactly. */
const steady = (clock: Clock) => ({ clock, random: () => 0, allowPrivate: true })

t.test('S0.23 a webhook gets each event, signed as standard-webhooks has it', async t => {
  const { url, calls } = await receiver(t)
  const { service, metric } = await events(t, { webhooks: [url], allowPrivate: true })
  await service.publish({ event: event('a') })
  await until(() => calls.length === 1)
  const [{ headers, body }] = calls as [(typeof calls)[0]]
  t.match(headers, { 'webhook-id': 'a.terminated', 'content-type': 'application/cloudevents+json' })
  t.match(new Webhook(secret).verify(body, headers as Record<string, string>), { type: 'sandbox.terminated.v1' })
  t.throws(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>), /No matching signature/)
  await until(async () => (await metric(attempts('delivered'))) === 1)
})

t.test('while secrets are exchanged, the old one and the new one both verify', async t => {
  const newer = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const { url, calls } = await receiver(t)
  const { service } = await events(t, { webhooks: [url], allowPrivate: true, secrets: [newer, secret] })
  await service.publish({ event: event('a') })
  await until(() => calls.length === 1)
  const [{ headers, body }] = calls as [(typeof calls)[0]]
  for (const each of [newer, secret]) t.ok(new Webhook(each).verify(body, headers as Record<string, string>))
  const other = `whsec_${Buffer.alloc(24, 8).toString('base64')}`
  t.throws(() => new Webhook(other).verify(body, headers as Record<string, string>))
})

t.test('what fails is tried again on the schedule, then a dead letter that can be replayed', async t => {
  const clock = new ManualClock()
  const times: number[] = []
  let broken = true
  const { url, calls } = await receiver(t, response => {
    times.push(clock.now())
    response.writeHead(broken ? 500 : 204).end()
  })
  const { service, metric } = await events(t, { ...steady(clock), webhooks: [url] })
  await service.publish({ event: event('a') })
  for (const [attempt, wait] of waits.entries()) {
    await clock.settled(() => calls.length === attempt + 1)
    await until(async () => (await metric(attempts('failed'))) === attempt + 1)
    const next = waits[attempt + 1] ?? 0
    if (next > 0) clock.advance(next - 1)
    t.equal(calls.length, attempt + 1, 'not before its time')
    clock.advance(1)
    if (attempt > 0) t.equal(times[attempt]! - times[attempt - 1]!, wait)
  }
  t.equal(times.length, 10)
  const { deadLetters } = await service.listDeadLetters({})
  t.match(deadLetters, [{ url, eventId: 'a.terminated', attempts: 10, lastError: 'the receiver answered 500' }])
  t.equal(await metric('muster_sandbox_events_dead_letters'), 1)
  broken = false
  t.equal((await service.replayDeadLetters({ url })).replayed, 1)
  await until(async () => (await metric(attempts('delivered'))) === 1)
  t.strictSame((await service.listDeadLetters({})).deadLetters, [])
  await t.rejects(service.replayDeadLetters({ url: 'http://nowhere/' }), /there is no webhook http:\/\/nowhere\//)
})

t.test('a receiver that does not answer in 15s has failed, and holds up no other', async t => {
  const clock = new ManualClock()
  const slow = await receiver(t, () => {})
  const quick = await receiver(t)
  const { service, metric } = await events(t, { ...steady(clock), webhooks: [slow.url, quick.url] })
  await service.publish({ event: event('a') })
  await until(async () => slow.calls.length === 1 && (await metric(attempts('delivered'))) === 1)
  clock.advance(14_999)
  t.equal(await metric(attempts('failed')), 0)
  clock.advance(1)
  await until(async () => (await metric(attempts('failed'))) === 1)
  clock.advance(5_000)
  await until(() => slow.calls.length === 2)
})

t.test('410 disables the receiver until its dead letters are replayed', async t => {
  let gone = true
  const { url, calls } = await receiver(t, response => response.writeHead(gone ? 410 : 200).end())
  const { service, metric, lines } = await events(t, { webhooks: [url], allowPrivate: true })
  await service.publish({ event: event('a') })
  await until(async () => (await metric(attempts('gone'))) === 1)
  await service.publish({ event: event('b') })
  const { deadLetters } = await service.listDeadLetters({})
  t.match(deadLetters, [
    { eventId: 'a.terminated', lastError: 'the receiver answered 410 Gone', attempts: 1 },
    { eventId: 'b.terminated', lastError: /has answered 410 and is disabled/, attempts: 0 }
  ])
  t.equal(calls.length, 1, 'it is asked nothing more')
  t.equal(lines.filter(({ msg }) => msg.startsWith('a webhook answered 410')).length, 1)
  gone = false
  t.equal((await service.replayDeadLetters({})).replayed, 2)
  await service.publish({ event: event('c') })
  await until(async () => (await metric(attempts('delivered'))) === 3)
})

for (const status of [429, 502, 504])
  t.test(`${status} spares the whole receiver for as long as it asks`, async t => {
    const clock = new ManualClock()
    let busy = true
    const { url, calls } = await receiver(t, (response, call, index) => {
      if (busy) answering(status, { 'retry-after': '120' })(response, call, index)
      else response.end()
    })
    const { service, metric } = await events(t, { ...steady(clock), webhooks: [url] })
    await service.publish({ event: event('a') })
    await until(async () => (await metric(attempts('throttled'))) === 1)
    busy = false
    await service.publish({ event: event('b') })
    clock.advance(119_999)
    t.equal(calls.length, 1, 'neither of them')
    clock.advance(1)
    await until(async () => (await metric(attempts('delivered'))) === 2)
  })

t.test('a receiver that has too much to do and does not say for how long is spared longer each time', async t => {
  const clock = new ManualClock()
  let busy = true
  const { url, calls } = await receiver(t, response => response.writeHead(busy ? 429 : 200).end())
  const { service, metric } = await events(t, { ...steady(clock), webhooks: [url] })
  const throttled = (count: number) => until(async () => (await metric(attempts('throttled'))) === count)
  for (const [index, spare] of [5_000, 10_000].entries()) {
    await service.publish({ event: event(`e${index}`) })
    await throttled(index + 1)
    clock.advance(spare - 1)
    t.equal(calls.length, index + 1, `nothing for ${spare} ms, whatever waits`)
    clock.advance(1)
    await throttled(index + 2)
  }
  busy = false
  clock.advance(20_000 - 1)
  t.equal(calls.length, 3)
  clock.advance(1)
  await until(async () => (await metric(attempts('delivered'))) === 1)
})

t.test('Retry-After is honoured as a date too, and for at most a day', async t => {
  const clock = new ManualClock()
  const asked = [new Date(clock.wall() + 90_000).toUTCString(), '999999999', 'nonsense', '-1']
  const { url, calls } = await receiver(t, (response, call, index) =>
    answering(503, { 'retry-after': asked[index] ?? '' })(response, call, index)
  )
  const { service, metric } = await events(t, { ...steady(clock), webhooks: [url] })
  await service.publish({ event: event('a') })
  const failed = (count: number) => until(async () => (await metric(attempts('failed'))) === count)
  await failed(1)
  clock.advance(89_000)
  t.equal(calls.length, 1)
  clock.advance(1_000)
  await failed(2)
  clock.advance(longestWait - 1)
  t.equal(calls.length, 2)
  clock.advance(1)
  await failed(3)
  clock.advance(waits[3]!)
  await failed(4)
})

t.test('a redirect is not followed, wherever it leads', async t => {
  const inside = await receiver(t)
  const places = [`http://127.0.0.1:${inside.port}/secret`, 'http://169.254.169.254/latest/meta-data', '/loop']
  for (const location of places) {
    const { url, calls } = await receiver(t, answering(307, { location }))
    const { service, metric } = await events(t, { webhooks: [url], allowPrivate: true })
    await service.publish({ event: event('a') })
    await until(async () => (await metric(attempts('failed'))) === 1)
    t.strictSame(
      calls.map(({ path }) => path),
      ['/hook']
    )
  }
  t.equal(inside.calls.length, 0)
})

t.test('a webhook reaches no address that is not public, unless it is allowed', async t => {
  const { port, calls } = await receiver(t)
  const names = ['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', 'localhost', '169.254.169.254', '[::1]']
  const clock = new ManualClock()
  const webhooks = names.map(name => `http://${name}:${port}/hook?of=${encodeURIComponent(name)}`)
  const { service, metric } = await events(t, { ...steady(clock), allowPrivate: false, webhooks, resolve: toLoopback })
  await service.publish({ event: event('a') })
  for (const [attempt] of waits.entries()) {
    await until(async () => (await metric(attempts('failed'))) === names.length * (attempt + 1))
    clock.advance(waits[attempt + 1] ?? 0)
  }
  const { deadLetters } = await service.listDeadLetters({})
  t.equal(deadLetters.length, names.length)
  for (const { url, lastError } of deadLetters)
    t.match(lastError, /is (loopback|link-local), which webhooks may not/, url)
  t.equal(calls.length, 0)
})

t.test(
  'a name that resolves to another address later gains nothing: what is judged is what is connected to',
  async t => {
    const clock = new ManualClock()
    const { port, calls } = await receiver(t, answering(500, { connection: 'close' }))
    const answers = [['127.0.0.1'], ['10.0.0.7'], ['127.0.0.1', '169.254.169.254']]
    let asked = 0
    const resolve = async () => answers[asked++]!.map(address => ({ address, family: 4 }))
    const { service, metric } = await events(t, {
      ...{ clock, random: () => 0, resolve },
      webhooksFile:
        t.testdir({
          'hooks.yaml': `webhooks: [{ url: 'http://rebinding.example:${port}/hook', allow: [127.0.0.0/8] }]`
        }) + '/hooks.yaml'
    })
    await service.publish({ event: event('a') })
    for (const [index] of answers.entries()) {
      await until(async () => (await metric(attempts('failed'))) === index + 1)
      clock.advance(waits[index + 1]!)
    }
    t.equal(calls.length, 1, 'only the first address, which is allowed')
    t.ok(asked >= 3)
  }
)
