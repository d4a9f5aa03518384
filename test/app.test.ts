import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { type AppParts, buildApi, buildApp } from '../extender/app.ts'
import { NotNow } from '../extender/errors.ts'
import { Listener } from '../extender/listener.ts'
import { type Check, PairHealth } from '../extender/telemetry/health.ts'
import { ManualClock } from './kubernetes/manual-clock.ts'
import { argsBody, bindBody, podJson, preemptBody } from './verbs/bodies.ts'
import { recorded } from './verbs/recording-gangs.ts'

const json = { 'content-type': 'application/json' }

/** The real app on a port of its own, over a recording port. */
async function running(t: Test, build = buildApp, checks: readonly Check[] = []) {
  const lines: string[] = []
  const verbs = recorded()
  const registry = new Registry()
  const reports = {
    gangs: () => [{ namespace: 'default', name: 'job', plan: null }],
    gang: () => undefined,
    pod: (namespace: string, name: string) => ({ namespace, name, gang: null })
  } satisfies AppParts['reports']
  const logger = pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(line) })
  const listener = new Listener({ what: 'extender', log: { info: () => {}, warn: () => {} } })
  const clock = new ManualClock()
  const pair = new PairHealth(clock, checks)
  const app = build({ verbs, reports, checks, pair, registry, logger }, listener.factory)
  await listener.open(app, { host: '127.0.0.1', port: 0 })
  const dispatcher = new Agent()
  t.teardown(async () => {
    await dispatcher.destroy()
    await listener.close(1_000)
  })
  const { port } = app.server.address() as AddressInfo
  const call = async (method: 'GET' | 'POST' | 'PUT', path: string, body?: string, headers: object = json) => {
    const options = {
      method,
      headers: headers as Record<string, string>,
      dispatcher,
      ...(body === undefined ? {} : { body })
    }
    const answer = await request(`http://127.0.0.1:${port}${path}`, options)
    const text = await answer.body.text()
    return { status: answer.statusCode, headers: answer.headers, text, is: () => JSON.parse(text) as unknown }
  }
  const metrics = async (name: string): Promise<string[]> =>
    (await call('GET', '/metrics')).text.split('\n').filter(line => line.startsWith(name) && !line.endsWith(' 0'))
  return { ...{ app, listener, call, dispatcher, metrics, lines, port, registry, clock }, gangs: verbs.gangs, verbs }
}

/** Every byte that comes back until the server closes or says nothing for a while. */
async function answers(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', chunk => {
    text += chunk.toString()
  })
  await Promise.race([once(socket, 'close'), wait(300)])
  return text
}

t.test('the four verbs answer as kube-scheduler calls them', async t => {
  const { call } = await running(t)
  const filtered = await call('POST', '/filter', argsBody(['node-1']))
  t.match(filtered, { status: 200, headers: { 'content-type': /^application\/json/ } })
  t.equal(filtered.headers['content-length'], String(Buffer.byteLength(filtered.text)), 'Go reads to the end')
  t.match(filtered.is(), { NodeNames: ['node-1'], Error: '' })
  t.strictSame((await call('POST', '/prioritize', argsBody(['node-1']))).is(), [{ Host: 'node-1', Score: 0 }])
  const preempted = await call('POST', '/preempt', preemptBody({ 'node-1': ['u1'] }))
  t.match(preempted.is(), { NodeNameToMetaVictims: { 'node-1': { Pods: [{ UID: 'u1' }] } } })
  t.strictSame((await call('POST', '/bind', bindBody())).is(), { Error: '' })
})

type Bad = { path?: string; body?: string; headers?: object; method?: 'GET' | 'PUT'; status?: number; want: RegExp }
const bad: Record<string, Bad> = {
  'malformed JSON': { body: '{"Pod":', want: /^the body is not JSON$/ },
  'an empty body': { body: '', want: /^the body is empty$/ },
  'truncated JSON': { body: argsBody(['node-1']).slice(0, 300), want: /^the body is not JSON$/ },
  'JSON of the wrong type': { body: '[]', want: /^the body must be a JSON object$/ },
  'a pod of the wrong type': { body: argsBody(['a'], []), want: /^the field Pod must be an object$/ },
  'a pod without a uid': { body: argsBody(['a'], {}), want: /^the field Pod is no pod: metadata.uid is missing$/ },
  'a binding of the wrong type': { path: '/bind', body: '{}', want: /^the field PodNamespace must be a non-empty / },
  'victims of the wrong type': { path: '/preempt', body: argsBody([]), want: /^the field NodeNameToMetaVictims must / },
  'another content type': {
    headers: { 'content-type': 'text/plain' },
    status: 415,
    want: /^the content type must be application\/json$/
  },
  'no content type': { headers: {}, status: 415, want: /^the content type must be application\/json$/ },
  'a body that is too large for bind': {
    path: '/bind',
    body: bindBody({ pad: 'x'.repeat(64 * 1024) }),
    status: 413,
    want: /^the body is larger than 65536 bytes$/
  },
  'a body that is too large for filter': {
    body: argsBody(['a'], { pad: 'x'.repeat(4 * 1024 ** 2) }),
    status: 413,
    want: /^the body is larger than 4194304 bytes$/
  },
  'an unknown path': { path: '/nonsense?a=b', status: 404, want: /^muster has no POST \/nonsense$/ },
  'another method': { method: 'PUT', status: 404, want: /^muster has no PUT \/filter$/ },
  'a path that is no path': { path: '/%zz', status: 400, want: /%zz/ }
}
for (const [
  name,
  { path = '/filter', body = argsBody(['a']), headers = json, method, status = 400, want }
] of Object.entries(bad)) {
  t.test(`${name}: ${status} and one sentence`, async t => {
    const { call, gangs, lines } = await running(t)
    const answer = await call(method ?? 'POST', path, body, headers)
    t.equal(answer.status, status)
    t.match(answer.is(), { error: want })
    t.strictSame(Object.keys(answer.is() as object), ['error'])
    t.strictSame([gangs.asked, gangs.binds], [[], []], 'nobody was asked')
    t.strictSame(lines, [], 'a bad request is not worth a line')
    t.equal((await call('GET', '/livez')).text, 'ok\n', 'and the process lives')
  })
}

t.test('bytes that are no HTTP, and half a request, harm nobody', async t => {
  const { call, port, lines } = await running(t)
  const garbage = connect(port, '127.0.0.1')
  garbage.write('\u0000\u0001 nonsense\r\n\r\n')
  t.match(await answers(garbage), /^HTTP\/1.1 400/)
  const half = connect(port, '127.0.0.1')
  half.write(
    'POST /filter HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"Pod":'
  )
  await wait(50)
  half.destroy()
  await wait(50)
  t.equal((await call('GET', '/livez')).status, 200)
  t.strictSame(lines, [])
})

t.test('a content type with its charset is no other content type', async t => {
  const { call } = await running(t)
  const answer = await call('POST', '/filter', argsBody(['a']), { 'content-type': 'application/json; charset=utf-8' })
  t.equal(answer.status, 200)
})

t.test('what breaks inside is a 500 that tells nothing, and a line that tells all', async t => {
  const { call, gangs, lines, metrics } = await running(t)
  gangs.onBind = async () => {
    throw new Error('a secret')
  }
  const answer = await call('POST', '/bind', bindBody())
  t.equal(answer.status, 500)
  t.strictSame(answer.is(), { error: 'muster failed to answer; its log says why' })
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0]!), { level: 50, err: { message: 'a secret' }, msg: 'failed to answer a request' })
  t.strictSame(await metrics('muster_requests_total'), ['muster_requests_total{verb="bind",outcome="error"} 1'])
})

t.test('not ready: no verb decides, and /readyz names what is missing', async t => {
  const problems = new Map([['nodes', 'not listed yet']])
  const checks = ['nodes', 'pods'].map(name => ({ name, problem: () => problems.get(name) }))
  const { call, verbs, gangs, lines, metrics } = await running(t, buildApp, checks)
  verbs.isReady = false
  const text = 'muster has not seen the whole cluster yet'
  const filtered = await call('POST', '/filter', argsBody(['node-1']))
  t.equal(filtered.status, 200)
  t.match(filtered.is(), { Error: text, NodeNames: null })
  t.strictSame((await call('POST', '/bind', bindBody())).is(), { Error: text })
  const preempted = await call('POST', '/preempt', preemptBody({ 'node-1': ['u1'] }))
  t.equal(preempted.status, 503, 'so that kube-scheduler evicts nobody')
  t.strictSame(preempted.is(), { error: text })
  t.strictSame([gangs.asked, gangs.binds], [[], []])
  t.strictSame(lines, [], 'expected, so no line')
  t.strictSame(
    await metrics('muster_requests_total'),
    ['filter', 'preempt', 'bind'].map(verb => `muster_requests_total{verb="${verb}",outcome="not_ready"} 1`)
  )
  t.match(await call('GET', '/readyz'), { status: 503, text: '[-] nodes: not listed yet\n[+] pods ok\n' })
  problems.clear()
  t.match(await call('GET', '/readyz'), { status: 200, text: '[+] nodes ok\n[+] pods ok\n' })
})

t.test('a call while nothing may be decided makes muster look whether that is still so', async t => {
  const { call, verbs } = await running(t)
  verbs.isReady = false
  verbs.onHurry = () => {
    verbs.isReady = true
  }
  t.match((await call('POST', '/filter', argsBody(['node-1']))).is(), { NodeNames: ['node-1'], Error: '' })
})

t.test('/livez/pair: kube-scheduler is to give its lease away once muster is out of step for over 30 s', async t => {
  const problems = new Map([['pods', 'not listed yet']])
  const checks = ['nodes', 'pods'].map(name => ({ name, problem: () => problems.get(name) }))
  const { call, clock } = await running(t, buildApi, checks)
  const asked = (): ReturnType<typeof call> => call('GET', '/livez/pair')
  t.match(await asked(), { status: 200, text: 'ok\n' }, 'it has just begun')
  clock.advance(30_001)
  t.match(await asked(), { status: 503, text: 'out of step with the cluster for over 30 s: pods: not listed yet\n' })
  t.equal((await call('GET', '/livez')).status, 200, 'the muster that is out of step need not end')
  problems.clear()
  t.equal((await asked()).status, 200)
  clock.advance(3_600_000)
  problems.set('nodes', 'not listed yet')
  t.equal((await asked()).status, 200, 'the time begins when it goes out of step')
  clock.advance(30_001)
  t.equal((await asked()).status, 503)
})

t.test('a connection is kept, for longer than Go keeps it', async t => {
  const { app, call, port } = await running(t)
  t.ok(app.server.keepAliveTimeout > 90_000)
  const socket = connect(port, '127.0.0.1')
  const body = argsBody(['node-1'])
  const head = `POST /filter HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
  socket.write(head + body)
  await once(socket, 'data')
  socket.write(head.replace('/filter', '/nonsense') + body)
  t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 404/)
  socket.write(head + body)
  t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 200/, 'even after an error')
  socket.destroy()
  t.match((await call('GET', '/livez')).headers, { 'keep-alive': 'timeout=120' })
})

t.test('a client that hangs up at bind aborts what it asked for', async t => {
  const { port, gangs, lines } = await running(t)
  const asked = Promise.withResolvers<AbortSignal>()
  const done = Promise.withResolvers<string>()
  gangs.onBind = ({ signal }) => {
    asked.resolve(signal)
    return done.promise
  }
  const body = bindBody()
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `POST /bind HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )
  const signal = await asked.promise
  t.notOk(signal.aborted)
  const aborted = once(signal, 'abort')
  socket.destroy()
  await aborted
  done.resolve('kube-scheduler has gone')
  await wait(20)
  t.strictSame(lines, [], 'nothing to complain about')
})

t.test('a client that waits for its answer aborts nothing', async t => {
  const { call, gangs } = await running(t)
  await call('POST', '/bind', bindBody())
  await call('GET', '/livez')
  t.notOk(gangs.binds[0]!.signal.aborted)
})

t.test('closing answers what is under way', async t => {
  const { listener, call, gangs } = await running(t)
  const asked = Promise.withResolvers<void>()
  const done = Promise.withResolvers<string>()
  gangs.onBind = () => {
    asked.resolve()
    return done.promise
  }
  const answer = call('POST', '/bind', bindBody())
  await asked.promise
  const closed = listener.close(5_000)
  await wait(20)
  done.resolve('')
  const { is, headers } = await answer
  t.strictSame(is(), { Error: '' })
  t.equal(headers.connection, 'close', 'and says that it is the last one')
  await closed
})

t.test('every call is counted and timed, by verb and outcome', async t => {
  const { call, gangs, metrics } = await running(t)
  await call('POST', '/filter', argsBody(['node-1']))
  gangs.next = { kind: 'waiting' }
  await call('POST', '/filter/', argsBody(['node-1']))
  await call('POST', '/filter', '{')
  await call('POST', '/filter', '', { 'content-type': 'text/plain' })
  await call('POST', '/prioritize', argsBody([]))
  await call('POST', '/preempt', preemptBody({}))
  await call('POST', '/bind', bindBody())
  gangs.onBind = async () => 'no'
  await call('POST', '/bind', bindBody())
  await call('GET', '/filter')
  await call('POST', '/nonsense', '{}')
  t.strictSame((await metrics('muster_requests_total')).toSorted(), [
    'muster_requests_total{verb="bind",outcome="error"} 1',
    'muster_requests_total{verb="bind",outcome="ok"} 1',
    'muster_requests_total{verb="filter",outcome="invalid"} 2',
    'muster_requests_total{verb="filter",outcome="ok"} 1',
    'muster_requests_total{verb="filter",outcome="unschedulable"} 1',
    'muster_requests_total{verb="preempt",outcome="ok"} 1',
    'muster_requests_total{verb="prioritize",outcome="ok"} 1'
  ])
  t.strictSame((await metrics('muster_request_duration_seconds_count')).toSorted(), [
    'muster_request_duration_seconds_count{verb="bind"} 2',
    'muster_request_duration_seconds_count{verb="filter"} 4',
    'muster_request_duration_seconds_count{verb="preempt"} 1',
    'muster_request_duration_seconds_count{verb="prioritize"} 1'
  ])
  t.match((await call('GET', '/metrics')).headers, { 'content-type': /^text\/plain; version=0.0.4/ })
})

t.test('the human API has no verbs, and the verbs no human API', async t => {
  const api = await running(t, buildApi)
  t.match(await api.call('POST', '/filter', argsBody([])), { status: 404 })
  t.strictSame((await api.call('GET', '/gangs')).is(), { gangs: [{ namespace: 'default', name: 'job', plan: null }] })
  for (const path of ['/livez', '/readyz', '/metrics']) t.match(await api.call('GET', path), { status: 200 })
  const { call } = await running(t)
  t.match(await call('GET', '/gangs'), { status: 404, text: '{"error":"muster has no GET /gangs"}' })
})

t.test('what has no answer at this moment says so, and is not worth a line', async t => {
  const reports: AppParts['reports'] = {
    gangs() {
      throw new NotNow('muster is beginning anew')
    },
    gang: () => undefined,
    pod: () => undefined
  }
  const { call, lines } = await running(t, (parts, factory) => buildApi({ ...parts, reports }, factory))
  t.match(await call('GET', '/gangs'), { status: 503, text: '{"error":"muster is beginning anew"}' })
  t.strictSame(lines, [])
})

t.test('the longest name of a pod can be asked for', async t => {
  const { call } = await running(t, buildApi)
  const name = 'p'.repeat(253)
  t.strictSame((await call('GET', `/explain/${name}?namespace=${podJson.metadata.namespace}`)).is(), {
    namespace: 'training',
    name,
    gang: null
  })
})
