import { timestampMs } from '@bufbuild/protobuf/wkt'
import t from 'tap'
import { finalizer } from '../../extender/sandboxes/labels.ts'
import { EventType } from '../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import { FailureCode, Reason, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { cleared, cluster, publisher, rig, service, until } from './rig.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

t.test('S0.13 S0.14 S0.15 S0.16 S0.17 S0.18 S0.19 every way to end is one event that says all about it', async t => {
  const { publish, events } = publisher(t)
  const crashing = {
    metadata: { annotations: { 'muster.dev/simulated-duration': '20ms', 'muster.dev/simulated-exit-code': '2' } },
    spec: { containers: [{ name: 'main', image: 'x', ports: [{ containerPort: 80 }] }] }
  }
  const stuck = {
    spec: {
      containers: [{ name: 'a', image: 'x', ports: [{ containerPort: 80 }], resources: { requests: { cpu: '999' } } }]
    }
  }
  const { on, it } = await rig(t, { enableEvents: true, publisher: { publish }, templates: { crashing, stuck } })
  const make = async (projectId: string, template = 'default', ttl = 900) => {
    const wish = { projectId, template, ttl: { seconds: BigInt(ttl) } }
    const { sandbox } = await it.sandboxes.createSandbox(wish, { headers: { traceparent } })
    return sandbox!
  }
  const eventOf = async (projectId: string) => {
    await untilTrue(`the end of ${projectId}`, () => events.some(({ partitionKey }) => partitionKey === projectId))
    return events.find(({ partitionKey }) => partitionKey === projectId)!
  }
  const released = await make('released')
  await until(it, released.id, State.READY)
  t.strictSame(on.service(released.id).metadata.finalizers, [finalizer])
  await it.sandboxes.releaseSandbox({ id: released.id })
  const event = await eventOf('released')
  t.match(event, {
    ...{ id: `${released.uid}.terminated`, source: '/clusters/c1/namespaces/sandbox', type: 'sandbox.terminated.v1' },
    ...{ subject: released.id, eventType: EventType.TERMINATED, traceparent, partitionKey: 'released' },
    sandbox: { state: State.TERMINATED, reason: Reason.RELEASED, uid: released.uid, node: /^node-/, podIp: /^\d/ }
  })
  t.equal(timestampMs(event.time!), timestampMs(event.sandbox!.terminatedAt!))
  t.ok(event.sandbox?.createdAt && event.sandbox.readyAt && event.sandbox.expiresAt)
  t.equal(event.sandbox?.failure, undefined)

  await make('crashed', 'crashing')
  t.match((await eventOf('crashed')).sandbox, {
    reason: Reason.FAILED,
    failure: { code: FailureCode.CRASHED, exitCode: 2, message: /code 2/ }
  })
  await make('expired', 'default', 60)
  await make('stuck', 'stuck')
  it.clock.advance(60_000)
  t.match((await eventOf('expired')).sandbox, { reason: Reason.EXPIRED })
  await untilTrue('no node takes it', () => JSON.stringify(on.pods()).includes('Unschedulable'))
  it.clock.advance(60_000)
  t.match((await eventOf('stuck')).sandbox, { reason: Reason.FAILED, failure: { code: FailureCode.UNSCHEDULABLE } })
  await cleared(on)
  t.strictSame(
    events.map(({ partitionKey }) => partitionKey),
    ['released', 'crashed', 'expired', 'stuck'],
    'each of them once'
  )
})

t.test('S0.18 a Service that somebody deletes is kept until its end is told', async t => {
  const { publish, events } = publisher(t)
  const { on, it } = await rig(t, { enableEvents: true, publisher: { publish } })
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
  await until(it, sandbox!.id, State.READY)
  on.client.delete({ resource: 'services', namespace: 'sandbox', name: sandbox!.id })
  await cleared(on)
  t.match(
    events.map(({ id, sandbox: end }) => [id, end?.failure?.code]),
    [[`${sandbox!.uid}.terminated`, FailureCode.DELETED_EXTERNALLY]]
  )
})

t.test(
  'an end that nobody takes in is kept, and told as soon as somebody is there, be it to the next service',
  async t => {
    const on = await cluster(t)
    const { publish, events, state } = publisher(t)
    state.broken = true
    const it = await service(t, on, { enableEvents: true, publisher: { publish } })
    const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
    await it.sandboxes.releaseSandbox({ id: sandbox!.id })
    await untilTrue('it was tried again', () => state.attempts >= 3)
    t.equal(on.services().length, 1, 'the record is kept')
    t.equal(on.pods().length, 0, 'and costs nothing')
    const again = await it.sandboxes.createSandbox({ projectId: 'p1' }).catch(error => error)
    t.match(again.rawMessage, /^the last sandbox of project p1 is still being cleared away; ask again$/)
    await it.close()
    state.broken = false
    const { clock } = it
    clock.advance(5_000)
    await service(t, on, { clock, enableEvents: true, publisher: { publish } })
    await cleared(on)
    t.equal(events.length, 1)
  }
)

t.test(
  'after a minute it is a dead letter: a line in the log, an Event on the Service, and the record goes',
  async t => {
    const { publish, events, state } = publisher(t)
    state.broken = true
    const { on, it } = await rig(t, { enableEvents: true, publisher: { publish } })
    const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
    await it.sandboxes.releaseSandbox({ id: sandbox!.id })
    await untilTrue('it was tried', () => state.attempts >= 1)
    it.clock.advance(61_000)
    await cleared(on)
    const letter = it.lines.find(({ msg }) => msg.startsWith('dead letter'))
    t.match(letter, {
      level: 50,
      problem: /did not take it in within 60 s/,
      event: { subject: sandbox!.id, partitionKey: 'p1' }
    })
    t.equal(await it.metric('muster_sandbox_event_publications_total{result="dead_letter"}'), 1)
    await untilTrue('there is an Event', () =>
      on.client.list('events', { namespace: 'sandbox' }).items.some(event => {
        return event['reason'] === 'EventUndelivered' && JSON.stringify(event).includes(sandbox!.uid)
      })
    )
    state.broken = false
    await untilTrue('it is told all the same', () => events.length === 1)
  }
)

t.test('S0.25 without events nothing is kept and nobody is told, and all else works', async t => {
  const { publish, state } = publisher(t)
  const { on, it } = await rig(t, { publisher: { publish } })
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
  t.equal(on.service(sandbox!.id).metadata.finalizers, undefined)
  await until(it, sandbox!.id, State.READY)
  await it.sandboxes.releaseSandbox({ id: sandbox!.id })
  await cleared(on)
  t.equal(state.attempts, 0)
})
