import { create, equals, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Code, type ConnectError } from '@connectrpc/connect'
import * as fc from 'fast-check'
import t from 'tap'
import { fromCloudEvent, terminatedEvent, toCloudEvent } from '../../../extender/sandboxes/events/cloud-event.ts'
import { accepted } from '../../../extender/sandboxes/events/event-rules.ts'
import {
  type Event,
  EventSchema,
  type EventType
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import {
  type FailureCode,
  FailurePhase,
  FailureSchema,
  type Launch,
  Reason,
  RefusalSchema,
  State
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { at, event, events, sandbox } from './rig.ts'

const path = '/sandbox.v1.EventsService/Publish'
const failure = (more: object) => create(FailureSchema, { phase: FailurePhase.CREATE, code: 1, ...more })

t.test('S0.14 what is not TERMINATED, or does not fit its sandbox, is refused by the name of its field', async t => {
  const { service, ask, metric } = await events(t)
  const wrong: Record<string, Partial<Event>> = {
    'event.event_type': { eventType: 7 as EventType },
    'event.type': { type: 'sandbox.created.v1' },
    'event.id': { id: 'b.terminated' },
    'event.source': { source: '/elsewhere' },
    'event.subject': { subject: 'sbx-b' },
    'event.partition_key': { partitionKey: 'another' },
    'event.sandbox.failure ': terminatedEvent(sandbox('a', { failure: undefined })),
    'event.time': { time: undefined },
    'event.sandbox': { sandbox: undefined },
    'event.sandbox.state': terminatedEvent(sandbox('a', { state: State.READY })),
    'event.sandbox.reason': terminatedEvent(sandbox('a', { reason: Reason.UNSPECIFIED })),
    'event.sandbox.failure': terminatedEvent(sandbox('a', { reason: Reason.RELEASED })),
    'event.sandbox.uid': terminatedEvent(sandbox('a', { uid: 'a b' })),
    'event.sandbox.cluster': terminatedEvent(sandbox('a', { cluster: '../..' })),
    'event.sandbox.pod': terminatedEvent(sandbox('a', { pod: 'p'.repeat(254) })),
    'event.sandbox.node': terminatedEvent(sandbox('a', { node: 'n\n1' }))
  }
  for (const [field, more] of Object.entries(wrong)) {
    const error = await service.publish({ event: Object.assign(event('a'), more) }).catch((thrown: unknown) => thrown)
    const { code, message } = error as ConnectError
    t.equal(code, Code.InvalidArgument, field)
    t.match(message, `${field.trim()}: `, field)
    t.equal((error as ConnectError).findDetails(RefusalSchema)[0]?.subject, field.trim())
  }
  t.match(await ask('POST', path, {}), { status: 400, body: { message: 'event: say which event' } })
  const never = terminatedEvent(sandbox('a', { createdAt: { ...at(1), seconds: 10n ** 15n } }))
  await t.rejects(service.publish({ event: never }), /event: /, 'a time that is none')
  t.equal(await metric('muster_sandbox_events_published_total{result="refused"}'), Object.keys(wrong).length + 2)
  t.equal((await ask('GET', '/v1/events')).body.events.length, 0, 'none is told')
})

t.test('hostile input gets one sentence', async t => {
  const { ask, url } = await events(t)
  const table = {
    'an unknown field, by its name': { ...{ path, body: { event: { ids: 'a' } } }, want: [400, /"ids" is unknown/] },
    'no JSON': { path, body: '{"event":', want: [400, /JSON/] },
    'another type': { path, body: { event: { id: 7 } }, want: [400, /id/] },
    'a large body': { path, body: { event: { id: 'x'.repeat(300_000) } }, want: [429, /262144/] }
  } as const
  for (const [name, { path: where, body, want }] of Object.entries(table)) {
    const answer = await ask('POST', where, body)
    t.equal(answer.status, want[0], name)
    t.match(answer.body.message, want[1], name)
  }
  for (const query of ['after=-1', 'after=x', 'after=1e3', `after=${'9'.repeat(40)}`, 'limit=many', 'after=1&after=2'])
    t.match(
      await ask('GET', `/v1/events?${query}`),
      { status: 400, body: { message: /must be a whole number/ } },
      query
    )
  t.match(await ask('GET', '/v1/events?afer=1'), { status: 400, body: { message: /afer: is not known/ } })
  const headers = { accept: 'text/event-stream', 'last-event-id': 'nonsense' }
  t.match(await ask('GET', '/v1/events', undefined, headers), { status: 400, body: { message: /Last-Event-ID/ } })
  const list = '/sandbox.v1.EventsService/ListEvents'
  t.match(await ask('POST', list, { after: '18446744073709551615' }), { status: 400, body: { message: /after: / } })
  t.match(await ask('POST', list, { pageSize: -1 }), { status: 400, body: { message: /page_size: / } })
  t.equal((await fetch(`${url}${path}`, { method: 'POST', body: 'x' })).status, 415)
  t.equal((await ask('GET', '/readyz')).status, 200, 'it still serves')
})

t.test('what a client sent, or a later scheduler says, is no cause to leave an end untold', async t => {
  const later = { launch: 9 as Launch, failure: failure({ phase: 8, code: 99 as FailureCode }) }
  const { event: kept, cloudEvent } = accepted(terminatedEvent(sandbox('a', later), 'zz\r\nX-Injected: 1'))
  t.match(kept, { traceparent: '', sandbox: { launch: 0, failure: { phase: 0, code: 0 } } })
  t.match(cloudEvent, { data: { reason: 'FAILED', failure: {} } }, 'told all the same')
  t.notOk('traceparent' in cloudEvent)
})

t.test('long messages are shortened, so that their end is told all the same', async t => {
  const message = `first\n\tline \u0000${'😀'.repeat(2_000)}`
  const { event: kept } = accepted(terminatedEvent(sandbox('a', { failure: failure({ message }) })))
  t.match(kept.sandbox?.failure?.message, /^first line (😀)+…$/u)
  t.equal(kept.sandbox?.failure?.message.length, 1_000)
})

t.test('no event is larger than 20 kB, and each is the same after it was JSON', async t => {
  const text = fc.string({ unit: fc.constantFrom('"', '\\', 'a', '.', '~'), maxLength: 253 })
  const said = fc.string({ unit: fc.constantFrom('"', '€', '\u0007', '\ud7ff', '😀', 'x '), maxLength: 3_000 })
  const arbitrary = fc.record({ text, said, exitCode: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }) })
  fc.assert(
    fc.property(arbitrary, ({ text: each, said: words, exitCode }) => {
      const long = Object.fromEntries(
        ['tenant', 'projectId', 'hostname', 'pod', 'podIp', 'node'].map(key => [key, each])
      )
      const details = failure({ message: words, ...(exitCode !== undefined && { exitCode }) })
      const ended = sandbox('u'.repeat(249), { ...long, launchReason: words, template: each, failure: details })
      const { event: kept, cloudEvent } = accepted(terminatedEvent(ended))
      const json = JSON.stringify(cloudEvent)
      const back = fromCloudEvent(JSON.parse(json))
      const wire = fromBinary(EventSchema, toBinary(EventSchema, back))
      return Buffer.byteLength(json) < 20_000 && equals(EventSchema, wire, kept)
    })
  )
  const { sandbox: ended, time } = event('a')
  t.match(toCloudEvent({ ...event('a'), sandbox: ended!, time: time! }).data, { eventType: 'TERMINATED' })
})
