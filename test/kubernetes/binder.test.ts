import t, { type Test } from 'tap'
import { Binder, type BindResult } from '../../extender/kubernetes/binder.ts'
import { fakeApiServer, type FakeApiServer, type Received, type Reply } from './fake-api-server.ts'
import { type Parts, parts } from './parts.ts'

const wanted = { namespace: 'ns', name: 'a', uid: 'u1', node: 'n1', annotations: { 'muster.dev/plan': 'p1' } }

type Step = (reply: Reply, received: Received) => void
type Rig = Parts & {
  readonly server: FakeApiServer
  readonly bind: (limits?: { ms?: number; signal?: AbortSignal }) => Promise<BindResult>
  /** `POST` and `GET`, in order. */
  readonly calls: () => string[]
}

/** Each request takes the next step of its method; the last one stays. */
async function rig(t: Test, { post = [], get = [] }: { post?: Step[]; get?: Step[] }): Promise<Rig> {
  const turns = new Map<string, number>()
  const server = await fakeApiServer(t, (received, reply) => {
    const steps = received.method === 'POST' ? post : get
    const turn = turns.get(received.method) ?? 0
    turns.set(received.method, turn + 1)
    steps[Math.min(turn, steps.length - 1)]?.(reply, received)
  })
  const given = parts(t, server.url)
  const binder = new Binder(given)
  return {
    ...given,
    server,
    bind: ({ ms = 10_000, signal } = {}) =>
      binder.bind(wanted, { deadline: given.clock.now() + ms, ...(signal ? { signal } : {}) }),
    calls: () => server.requests.map(request => request.method)
  }
}

const created: Step = reply => reply.status(201)
const conflict: Step = reply => reply.status(409, {}, { message: 'pod a is odd' })
const shows =
  (nodeName?: string, uid = 'u1'): Step =>
  reply =>
    reply.json(200, { metadata: { uid }, spec: nodeName ? { nodeName } : {} })
const lost: Step = reply => reply.reset()

/** The result, with time moving on meanwhile. */
async function ended({ clock }: Rig, result: Promise<BindResult>): Promise<BindResult> {
  let done = false
  const mark = result.finally(() => {
    done = true
  })
  await clock.until(() => done, 20)
  return mark
}

t.test('posts the binding with uid and annotations', async t => {
  const r = await rig(t, { post: [created] })
  t.strictSame(await ended(r, r.bind()), { outcome: 'bound' })
  const [request] = r.server.requests
  t.equal(request!.path, '/api/v1/namespaces/ns/pods/a/binding')
  t.strictSame(request!.body, {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'a', namespace: 'ns', uid: 'u1', annotations: { 'muster.dev/plan': 'p1' } },
    target: { apiVersion: 'v1', kind: 'Node', name: 'n1' }
  })
  t.equal(await r.metric('muster_binds_total{result="bound"}'), 1)
  t.equal(await r.metric('muster_unknown_outcomes_total'), 0)
  t.equal(await r.metric('muster_apiserver_requests_total{verb="create",resource="pods/binding",code="201"}'), 1)
  t.equal(r.clock.pending, 0, 'no timer is left')
})

type Case = { post: Step[]; get?: Step[]; want: BindResult; calls: string[]; unknown?: number }
const refused = { outcome: 'refused', status: 409, message: 'pod a is odd' } as const
const cases: Record<string, Case> = {
  'S3.69 the pod is gone': { post: [reply => reply.status(404)], want: { outcome: 'gone' }, calls: ['POST'] },
  'S3.70 already on the same node': {
    post: [conflict],
    get: [shows('n1')],
    want: { outcome: 'bound' },
    calls: ['POST', 'GET']
  },
  'S3.70 already on another node': {
    post: [conflict],
    get: [shows('n2')],
    want: { outcome: 'elsewhere', node: 'n2' },
    calls: ['POST', 'GET']
  },
  'another uid under that name': {
    post: [conflict],
    get: [shows('n1', 'u2')],
    want: { outcome: 'gone' },
    calls: ['POST', 'GET']
  },
  'a conflict, and the pod is gone by now': {
    post: [conflict],
    get: [reply => reply.status(404)],
    want: { outcome: 'gone' },
    calls: ['POST', 'GET']
  },
  'deleting or gated': { post: [conflict], get: [shows()], want: refused, calls: ['POST', 'GET'] },
  'a conflict is looked at until the look succeeds': {
    post: [conflict],
    get: [reply => reply.status(500), lost, reply => reply.json(200, 'no pod'), shows('n2')],
    want: { outcome: 'elsewhere', node: 'n2' },
    calls: ['POST', 'GET', 'GET', 'GET', 'GET']
  },
  forbidden: {
    post: [reply => reply.status(403, {}, { message: 'no right' })],
    want: { outcome: 'refused', status: 403, message: 'no right' },
    calls: ['POST']
  },
  invalid: {
    post: [reply => reply.status(422)],
    want: { outcome: 'refused', status: 422, message: 'status 422' },
    calls: ['POST']
  },
  'the reply is lost after the commit': {
    post: [lost],
    get: [shows('n1')],
    want: { outcome: 'bound' },
    calls: ['POST', 'GET'],
    unknown: 1
  },
  'the reply is lost before the commit': {
    post: [lost, created],
    get: [shows()],
    want: { outcome: 'bound' },
    calls: ['POST', 'GET', 'POST'],
    unknown: 1
  },
  'the reply is lost, and somebody else was first': {
    post: [lost],
    get: [shows('n2')],
    want: { outcome: 'elsewhere', node: 'n2' },
    calls: ['POST', 'GET'],
    unknown: 1
  },
  'the first write lands late, after the look': {
    post: [lost, conflict],
    get: [shows(), shows('n1')],
    want: { outcome: 'bound' },
    calls: ['POST', 'GET', 'POST', 'GET'],
    unknown: 1
  },
  'S2.20 S3.30 too many requests': {
    post: [reply => reply.status(429), created],
    want: { outcome: 'bound' },
    calls: ['POST', 'POST']
  },
  'a token that has just rotated': {
    post: [reply => reply.status(401), created],
    want: { outcome: 'bound' },
    calls: ['POST', 'POST']
  },
  'a 500 may hide a commit': {
    post: [reply => reply.status(500)],
    get: [shows('n1')],
    want: { outcome: 'bound' },
    calls: ['POST', 'GET']
  },
  'a 504 that hides none': {
    post: [reply => reply.status(504), created],
    get: [shows()],
    want: { outcome: 'bound' },
    calls: ['POST', 'GET', 'POST']
  }
}
for (const [name, { post, get = [], want, calls, unknown = 0 }] of Object.entries(cases)) {
  t.test(name, async t => {
    const r = await rig(t, { post, get })
    t.strictSame(await ended(r, r.bind()), want)
    t.strictSame(r.calls(), calls)
    t.equal(await r.metric('muster_unknown_outcomes_total'), unknown)
    t.equal(await r.metric(`muster_binds_total{result="${want.outcome}"}`), 1)
    t.equal(r.clock.pending, 0, 'no timer is left')
  })
}

t.test('S3.12 Retry-After is honoured, inside the deadline', async t => {
  const r = await rig(t, { post: [reply => reply.status(429, { 'retry-after': '1' }), created] })
  const began = r.clock.now()
  t.strictSame(await ended(r, r.bind()), { outcome: 'bound' })
  t.ok(r.clock.now() - began >= 1_000)
  const late = await rig(t, { post: [reply => reply.status(429, { 'retry-after': '3600' })] })
  const result = await ended(late, late.bind({ ms: 1_500 }))
  t.match(result, { outcome: 'late', message: /deadline passed; before that: status 429/ })
  t.equal(late.calls().length, 1)
})

t.test('nothing is written after the deadline or once called off', async t => {
  const r = await rig(t, { post: [created] })
  t.match(await r.bind({ ms: 0 }), { outcome: 'late' })
  t.match(await r.bind({ ms: -5 }), { outcome: 'late' })
  t.match(await r.bind({ signal: AbortSignal.abort() }), { outcome: 'late', message: 'the bind was called off' })
  t.strictSame(r.calls(), [])
})

t.test('called off while it waits: ends at once, writes no more', async t => {
  const r = await rig(t, { post: [reply => reply.status(429, { 'retry-after': '9' })] })
  const controller = new AbortController()
  const result = r.bind({ signal: controller.signal, ms: 60_000 })
  await r.clock.settled(() => r.clock.pending === 1 && r.calls().length === 1)
  controller.abort()
  t.match(await result, { outcome: 'late' })
  t.strictSame(r.calls(), ['POST'])
})

t.test('called off while a write is under way: its answer is waited for', async t => {
  let held: Reply | undefined
  const r = await rig(t, {
    post: [
      reply => {
        held = reply
      }
    ]
  })
  const controller = new AbortController()
  const result = r.bind({ signal: controller.signal })
  await r.clock.settled(() => held !== undefined)
  controller.abort()
  held!.status(201)
  t.strictSame(await result, { outcome: 'bound' })
})

t.test('a reply that never comes leaves time for a look', async t => {
  const r = await rig(t, { post: [() => {}], get: [shows('n1')] })
  const began = r.clock.now()
  t.strictSame(await ended(r, r.bind({ ms: 2_000 })), { outcome: 'bound' })
  t.ok(r.clock.now() - began < 2_000)
})

t.test('no answer at all before the deadline is unknown', async t => {
  const r = await rig(t, { post: [lost], get: [lost] })
  t.match(await ended(r, r.bind({ ms: 2_000 })), { outcome: 'unknown' })
  t.equal(r.calls().filter(call => call === 'POST').length, 1, 'not written twice without a look')
  t.equal(await r.metric('muster_binds_total{result="unknown"}'), 1)
})

t.test('a look that shows it unbound does not make a lost write impossible', async t => {
  const r = await rig(t, { post: [lost], get: [shows()] })
  t.match(await ended(r, r.bind({ ms: 2_000 })), { outcome: 'unknown' })
  t.ok(r.calls().length > 2)
})

t.test('a refused connection is safe to retry, and late in the end', async t => {
  const server = await fakeApiServer(t, () => {})
  const r = parts(t, server.url.replace(/\d+$/, '1'))
  const binder = new Binder(r)
  const began = r.clock.now()
  const result = ended(r as Rig, binder.bind(wanted, { deadline: began + 2_000 }))
  t.match(await result, { outcome: 'late', message: /ECONNREFUSED/ })
  t.ok((await r.metric('muster_apiserver_requests_total{verb="create",resource="pods/binding",code="error"}'))! > 1)
  t.equal(await r.metric('muster_unknown_outcomes_total'), 0)
})

t.test('S2.20 S2.22 an API server that only says no is asked ever more rarely, until the deadline', async t => {
  const { clock, metrics } = parts(t, 'http://127.0.0.1:1')
  const times: number[] = []
  const api = {
    ...{ url: 'http://busy', stream: () => Promise.reject(new Error('no streams')), close: async () => {} },
    async request() {
      times.push(clock.now())
      return { status: 429, headers: {}, body: undefined }
    }
  }
  const binder = new Binder({ api, clock, metrics, random: () => 1 })
  let result: BindResult | undefined
  void binder.bind(wanted, { deadline: clock.now() + 29_000 }).then(end => (result = end))
  await clock.until(() => result !== undefined, 10)
  t.match(result, { outcome: 'late', message: /deadline passed; before that: HTTP 429/ })
  const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  t.strictSame(waits.slice(0, 8), [50, 100, 200, 400, 800, 1_600, 2_000, 2_000])
  t.equal(times.length, 19, 'calls in 29 s')
})
