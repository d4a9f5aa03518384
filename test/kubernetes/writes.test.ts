import t from 'tap'
import { cut, EventRecorder, type PodEvent } from '../../extender/kubernetes/event-recorder.ts'
import { type EvictResult, Evictor } from '../../extender/kubernetes/evictor.ts'
import { Nominator, type WriteResult } from '../../extender/kubernetes/nominator.ts'
import { fakeApiServer, type Reply } from './fake-api-server.ts'
import { parts } from './parts.ts'
import { pod } from '../builders.ts'

const noRight = 'pods "a" is forbidden: User "system:serviceaccount:m:m" cannot patch resource "pods" in API group ""'
const ref = { namespace: 'ns', name: 'a', uid: 'u1' }

t.test('nominations and gates are one patch each, with the uid as precondition', async t => {
  const server = await fakeApiServer(t, (_, reply) => reply.status(200))
  const given = parts(t, server.url)
  const nominator = new Nominator(given.api, given.metrics)
  t.strictSame(await nominator.nominate(ref, 'n1'), { outcome: 'done' })
  t.strictSame(await nominator.nominate(ref, undefined), { outcome: 'done' })
  t.strictSame(await nominator.ungate({ ...ref, name: 'a/../b' }, 'muster.dev/gang'), { outcome: 'done' })
  t.strictSame(
    server.requests.map(({ method, path, headers, body }) => ({ method, path, type: headers['content-type'], body })),
    [
      ...['n1', null].map(nominatedNodeName => ({
        method: 'PATCH',
        path: '/api/v1/namespaces/ns/pods/a/status',
        type: 'application/merge-patch+json',
        body: { metadata: { uid: 'u1' }, status: { nominatedNodeName } }
      })),
      {
        method: 'PATCH',
        path: '/api/v1/namespaces/ns/pods/a%2F..%2Fb',
        type: 'application/strategic-merge-patch+json',
        body: { metadata: { uid: 'u1' }, spec: { schedulingGates: [{ $patch: 'delete', name: 'muster.dev/gang' }] } }
      }
    ]
  )
  t.equal(await given.metric('muster_nominations_total{result="done"}'), 2)
})

const held = { key: 'metadata.name', operator: 'In', values: ['n1'] }
const zone = { key: 'zone', operator: 'In', values: ['a', 'b'] }
const gpu = { key: 'gpu', operator: 'Exists', values: [] }
const notThere = { key: 'metadata.name', operator: 'NotIn', values: ['n2'] }
const pins = {
  'a pod without terms gets one': {
    pod: pod('a'),
    terms: [{ matchFields: [held] }]
  },
  'each term that it has is kept whole and in order, and narrowed': {
    pod: pod('a')
      .require(zone, gpu)
      .term({ matchExpressions: [], matchFields: [notThere] }),
    terms: [
      { matchExpressions: [zone, { key: 'gpu', operator: 'Exists' }], matchFields: [held] },
      { matchFields: [notThere, held] }
    ]
  },
  'a term that matches nothing may not be changed': {
    pod: pod('a').require(zone).require(),
    terms: [{ matchExpressions: [zone], matchFields: [held] }, {}]
  }
}
for (const [name, { pod: given, terms: nodeSelectorTerms }] of Object.entries(pins)) {
  t.test(`a pin is one patch that takes the gate away and holds the pod to its node: ${name}`, async t => {
    const server = await fakeApiServer(t, (_, reply) => reply.status(200))
    const { api, metrics } = parts(t, server.url)
    const { shape } = given.obj()
    t.strictSame(await new Nominator(api, metrics).pin({ ...ref, shape }, 'muster.dev/gang', 'n1'), { outcome: 'done' })
    const [{ path, headers, body } = { path: '', headers: {}, body: {} }] = server.requests
    t.strictSame(
      [path, headers['content-type']],
      ['/api/v1/namespaces/ns/pods/a', 'application/strategic-merge-patch+json']
    )
    t.strictSame(body, {
      metadata: { uid: 'u1' },
      spec: {
        schedulingGates: [{ $patch: 'delete', name: 'muster.dev/gang' }],
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } }
      }
    })
  })
}

t.test('a pin that the API server does not take for this pod is told from one that may be tried again', async t => {
  const cases = [
    { status: 422, body: { message: 'no additions' }, want: 'refused' },
    { status: 403, body: { message: 'a policy says no' }, want: 'refused' },
    { status: 403, body: { message: noRight }, want: 'failed' },
    { status: 500, body: {}, want: 'failed' },
    { status: 404, body: {}, want: 'gone' }
  ]
  for (const { status, body, want } of cases) {
    const server = await fakeApiServer(t, (_, reply) => reply.status(status, {}, body))
    const { api, metrics } = parts(t, server.url)
    const result = await new Nominator(api, metrics).pin({ ...ref, shape: pod('a').obj().shape }, 'g', 'n1')
    t.equal(result.outcome, want, JSON.stringify(body))
  }
})

const immutable = { details: { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.uid' }] } }
const answers: Record<string, { reply: (reply: Reply) => void; want: WriteResult }> = {
  'no such pod': { reply: reply => reply.status(404), want: { outcome: 'gone' } },
  'another uid, as 1.36 says it': { reply: reply => reply.status(422, {}, immutable), want: { outcome: 'gone' } },
  'somebody wrote in between': {
    reply: reply => reply.status(409),
    want: { outcome: 'conflict', message: 'status 409' }
  },
  invalid: { reply: reply => reply.status(422), want: { outcome: 'failed', status: 422, message: 'status 422' } },
  'too many requests': {
    reply: reply => reply.status(429, { 'retry-after': '2' }),
    want: { outcome: 'failed', status: 429, message: 'status 429', retryAfterMs: 2_000 }
  },
  'no right': {
    reply: reply => reply.status(403, {}, { message: noRight }),
    want: { outcome: 'failed', status: 403, message: noRight, forbidden: true }
  },
  'a policy that refuses this pod': {
    reply: reply => reply.status(403, {}, { message: "ValidatingAdmissionPolicy 'p' denied request: no" }),
    want: { outcome: 'failed', status: 403, message: "ValidatingAdmissionPolicy 'p' denied request: no" }
  },
  'an answer without a body': {
    reply: reply => reply.response.writeHead(502).end(),
    want: { outcome: 'failed', status: 502, message: 'HTTP 502' }
  }
}
for (const [name, { reply, want }] of Object.entries(answers)) {
  t.test(name, async t => {
    const server = await fakeApiServer(t, (_, to) => reply(to))
    const given = parts(t, server.url)
    t.strictSame(await new Nominator(given.api, given.metrics).nominate(ref, 'n1'), want)
    t.equal(await given.metric(`muster_nominations_total{result="${want.outcome}"}`), 1)
  })
}

const evictions: Record<string, { reply: (reply: Reply) => void; want: EvictResult['outcome'] }> = {
  'an eviction': { reply: reply => reply.status(201), want: 'done' },
  'a pod that is gone': { reply: reply => reply.status(404), want: 'gone' },
  'a namesake': { reply: reply => reply.status(409), want: 'conflict' },
  'a disruption budget': {
    reply: reply => reply.status(429, {}, { details: { causes: [{ reason: 'DisruptionBudget' }] } }),
    want: 'refused'
  },
  'an API server that has too much to do': {
    reply: reply => reply.status(429, { 'retry-after': '1' }),
    want: 'failed'
  },
  'two budgets for one pod': {
    reply: reply =>
      reply.status(
        500,
        {},
        {
          message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
        }
      ),
    want: 'refused'
  },
  'a server error': { reply: reply => reply.status(500), want: 'failed' },
  'a missing right': { reply: reply => reply.status(403), want: 'refused' }
}
for (const [name, { reply, want }] of Object.entries(evictions)) {
  t.test(`the end of an eviction: ${name}`, async t => {
    const server = await fakeApiServer(t, (_, to) => reply(to))
    const given = parts(t, server.url)
    t.equal((await new Evictor(given.api, given.metrics).evict(ref)).outcome, want)
    t.equal(await given.metric(`muster_evictions_total{result="${want}"}`), 1)
    const [{ path, body } = { path: '', body: {} }] = server.requests
    t.equal(path, '/api/v1/namespaces/ns/pods/a/eviction')
    t.match(body, { deleteOptions: { preconditions: { uid: 'u1' } } })
  })
}

t.test('a mark is written with the status, for which the right to patch pods is not needed', async t => {
  const server = await fakeApiServer(t, (_, reply) => reply.status(200))
  const given = parts(t, server.url)
  t.strictSame(await new Evictor(given.api, given.metrics).mark(ref, 'muster.dev/ending', 'p'), { outcome: 'done' })
  t.match(server.requests[0], {
    path: '/api/v1/namespaces/ns/pods/a/status',
    body: { metadata: { uid: 'u1', annotations: { 'muster.dev/ending': 'p' } } }
  })
})

t.test('a write is given up after five seconds', async t => {
  const server = await fakeApiServer(t, () => {})
  const given = parts(t, server.url)
  let result: WriteResult | undefined
  void new Nominator(given.api, given.metrics).nominate(ref, 'n1').then(got => (result = got))
  await given.clock.settled(() => server.requests.length === 1)
  given.clock.advance(4_999)
  t.equal(result, undefined)
  given.clock.advance(1)
  await given.clock.settled(() => result !== undefined)
  t.match(result, { outcome: 'failed' })
})

const event: PodEvent = { pod: ref, type: 'Normal', reason: 'GangPlanned', action: 'Planning', note: 'planned on n1' }

t.test('an event says who, what and when', async t => {
  const server = await fakeApiServer(t, (_, reply) => reply.status(201))
  const given = parts(t, server.url)
  const recorder = new EventRecorder({ ...given, instance: 'muster-0' })
  recorder.record(event)
  await given.clock.settled(() => server.requests.length === 1)
  t.equal(server.requests[0]!.path, '/apis/events.k8s.io/v1/namespaces/ns/events')
  t.strictSame(server.requests[0]!.body, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { generateName: 'a-', namespace: 'ns' },
    eventTime: '2026-01-02T03:04:06.678000Z',
    reportingController: 'muster.dev/muster',
    reportingInstance: 'muster-0',
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'ns', name: 'a', uid: 'u1' },
    type: 'Normal',
    reason: 'GangPlanned',
    action: 'Planning',
    note: 'planned on n1'
  })
})

t.test('the same is told once in ten minutes', async t => {
  const server = await fakeApiServer(t, (_, reply) => reply.status(201))
  const given = parts(t, server.url)
  const recorder = new EventRecorder({ ...given, instance: 'i' })
  for (let i = 0; i < 5; i += 1) recorder.record(event)
  recorder.record({ ...event, note: 'planned on n2' })
  recorder.record({ ...event, pod: { ...ref, uid: 'u2' } })
  await given.clock.settled(() => server.requests.length === 3 && given.clock.pending === 0)
  given.clock.advance(9 * 60_000)
  recorder.record(event)
  given.clock.advance(2 * 60_000)
  recorder.record(event)
  await given.clock.settled(() => server.requests.length === 4 && given.clock.pending === 0)
  t.equal(await given.metric('muster_events_total{result="recorded"}'), 4)
})

t.test('a flood is slowed down, and what does not fit is dropped and counted', async t => {
  const server = await fakeApiServer(t, (_, reply) => reply.status(201))
  const given = parts(t, server.url)
  const recorder = new EventRecorder({ ...given, instance: 'i', burst: 3, perSecond: 10, queue: 5 })
  for (let i = 0; i < 100; i += 1) recorder.record({ ...event, note: `note ${i}` })
  await given.clock.settled(() => server.requests.length === 3)
  t.ok((await given.metric('muster_events_total{result="dropped"}'))! >= 90)
  const passed = await given.clock.until(() => server.requests.length === 8, 10)
  t.ok(passed >= 450, `${passed} ms for five events at ten a second`)
  t.equal(server.requests.length, 8)
  recorder.record({ ...event, note: 'note 99' })
  await given.clock.until(() => server.requests.length === 9)
  t.pass('what was dropped may come again')
})

t.test('failures are logged once a minute, and may be told again', async t => {
  const server = await fakeApiServer(t, (_, reply) => reply.status(403))
  const given = parts(t, server.url)
  const recorder = new EventRecorder({ ...given, instance: 'i' })
  for (let i = 1; i <= 3; i += 1) {
    recorder.record(event)
    await given.clock.settled(() => server.requests.length === i && given.clock.pending === 0)
  }
  t.strictSame(given.log.lines, ['warn cannot record events: status 403'])
  t.equal(await given.metric('muster_events_total{result="failed"}'), 3)
})

t.test('notes are cut at a character', async t => {
  t.equal(cut('short', 10), 'short')
  t.equal(cut('0123456789', 10), '0123456789')
  t.equal(cut('01234567890', 10), '0123456…')
  for (const text of ['ä'.repeat(600), '日'.repeat(400), '🙂'.repeat(300), `x${'🙂'.repeat(300)}`]) {
    const note = cut(text, 1024)
    t.ok(Buffer.byteLength(note) <= 1024 && Buffer.byteLength(note) > 1015)
    t.ok(text.startsWith(note.slice(0, -1)))
  }
  t.equal(cut('a\ud800b', 10), 'a\ufffdb', 'a lone surrogate')
})
