import { once } from 'node:events'
import { connect } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t from 'tap'
import { Activity } from '../../extender/sandboxes/activator/activity.ts'
import { startActivator } from '../../extender/sandboxes/activator/serve.ts'
import { schedulerAt } from '../../extender/sandboxes/client/connect.ts'
import { SandboxSchema, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { TouchSandboxResponseSchema } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { ManualClock } from '../kubernetes/manual-clock.ts'
import { readyMock, readyServer, stage } from './activator-stage.ts'

const never = () => Promise.reject(new Error('not asked here'))

t.test('S1.19 traffic wakes the sandbox of its project, waits for it, and goes on to it', async t => {
  const { scheduler, ask, untilWaiting } = await stage(t)
  const { fields } = await readyMock(t, 'shop')
  const answer = ask('/projects/shop/cart?x=1')
  await untilWaiting(1)
  await scheduler.set('shop', fields)
  t.equal(scheduler.count('create'), 1)
  const { status, text } = await answer
  t.equal(status, 200)
  t.match(JSON.parse(text), { project: 'shop', path: '/cart?x=1' })
})

t.test('S1.19 the project is named by header, host or path, in this order', async t => {
  const { scheduler, ask } = await stage(t)
  const { fields } = await readyMock(t, 'shop')
  scheduler.fields = fields
  const cases: [string, Record<string, string>, string][] = [
    ['/a', { 'x-sandbox-project': 'shop' }, '/a'],
    ['/a?b', { host: 'shop.sandbox.localhost:80' }, '/a?b'],
    ['/a?b', { host: 'SHOP.sandbox.localhost' }, '/a?b'],
    ['/projects/shop', {}, '/'],
    ['/projects/shop?q', {}, '/?q'],
    ['/projects/shop//x', {}, '//x'],
    ['/projects/shop/x', { 'x-sandbox-project': 'shop' }, '/projects/shop/x']
  ]
  for (const [path, headers, want] of cases) {
    const { status, text } = await ask(path, { headers })
    t.equal(status, 200, `${path} ${JSON.stringify(headers)}`)
    t.match(JSON.parse(text), { path: want })
  }
  t.ok(scheduler.count('create') <= cases.length)
})

t.test('whoever names no project is told how to, and whoever names it wrongly what is wrong', async t => {
  const { ask, scheduler } = await stage(t)
  const cases: [string, Record<string, string>, number, RegExp][] = [
    ['/', {}, 404, /name the project by the header X-Sandbox-Project/],
    ['/projects', {}, 404, /name the project/],
    ['/projects/', {}, 400, /must be a DNS label/],
    ['/projects/No_Label/', {}, 400, /"No_Label\\" must be a DNS label/],
    ['/', { 'x-sandbox-project': '../etc' }, 400, /must be a DNS label/],
    ['/', { host: 'a.b.sandbox.localhost' }, 400, /must be a DNS label/]
  ]
  for (const [path, headers, status, sentence] of cases) {
    const answer = await ask(path, { headers })
    t.equal(answer.status, status, path)
    t.match(answer.text, sentence)
  }
  t.strictSame(scheduler.calls, [], 'nothing is made')
  t.equal((await ask('/readyz')).status, 200)
  t.match((await ask('/metrics')).text, /muster_activator_requests_total\{outcome="nobody"\} 6/)
})

t.test('many requests for a sleeping project make one sandbox', async t => {
  const { scheduler, ask, untilWaiting } = await stage(t)
  const { fields } = await readyMock(t, 'shop')
  const answers = Array.from({ length: 20 }, (_, index) => ask(`/projects/shop/${index}`))
  await untilWaiting(20)
  await scheduler.set('shop', fields)
  const statuses = await Promise.all(answers)
  t.ok(statuses.every(({ status }) => status === 200))
  t.equal(scheduler.count('create'), 1)
})

t.test('what waits is bounded in requests and bytes: beyond it, 429 and when to come again', async t => {
  const { scheduler, ask, untilWaiting } = await stage(t, { waiting: { requests: 2, bytes: 40_000 } })
  const { fields } = await readyMock(t, 'shop')
  const waiting = [ask('/projects/shop/1'), ask('/projects/shop/2')]
  await untilWaiting(2)
  const refused = await ask('/projects/shop/3')
  t.equal(refused.status, 429)
  t.equal(refused.headers['retry-after'], '1')
  t.match(refused.text, /too much waits for the sandbox of shop/)
  const body = 'x'.repeat(100_000)
  const large = [
    ask('/projects/blog/echo', { method: 'POST', body }),
    ask('/projects/blog/echo', { method: 'POST', body })
  ]
  await untilWaiting(4)
  t.equal((await ask('/projects/third/', { method: 'POST', body })).status, 429, 'bytes of all projects count together')
  await scheduler.set('shop', fields)
  await scheduler.set('blog', fields)
  for (const answer of await Promise.all(waiting)) t.equal(answer.status, 200)
  for (const answer of await Promise.all(large)) t.equal(answer.text, body, 'and what waited comes whole')
  await untilWaiting(0)
})

t.test('whoever leaves while waiting makes room', async t => {
  const { untilWaiting, port } = await stage(t)
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /projects/shop/ HTTP/1.1\r\nhost: x\r\n\r\n')
  await untilWaiting(1)
  socket.destroy()
  await untilWaiting(0)
  t.pass('the room is empty')
})

t.test('a sandbox that is not ready in time is not waited for', async t => {
  const { ask } = await stage(t, { startMs: 50 })
  const { status, headers, text } = await ask('/projects/shop/')
  t.equal(status, 504)
  t.equal(headers['retry-after'], '5')
  t.match(text, /the sandbox of shop is not ready in time/)
})

t.test('what the scheduler refuses is refused in the words of HTTP', async t => {
  const { scheduler, ask } = await stage(t)
  const cases: [Code, Record<string, string>, number, string | undefined][] = [
    [Code.ResourceExhausted, { 'retry-after': '7' }, 429, '7'],
    [Code.ResourceExhausted, {}, 429, '5'],
    [Code.Unavailable, {}, 503, '1'],
    [Code.InvalidArgument, {}, 400, undefined],
    [Code.Internal, {}, 502, undefined]
  ]
  for (const [code, headers, status, retryAfter] of cases) {
    scheduler.refusal = new ConnectError('so it is', code, headers)
    const answer = await ask('/projects/shop/')
    t.equal(answer.status, status, Code[code])
    t.equal(answer.headers['retry-after'], retryAfter)
    t.match(answer.text, /the scheduler says: so it is/)
  }
  scheduler.refusal = undefined
  scheduler.fields = { state: State.TERMINATED, failure: { message: 'no such image' } }
  t.match(await ask('/projects/shop/'), { status: 502, text: /ended before it was ready: no such image/ })
})

t.test('traffic is sent to no address that a pod cannot have', async t => {
  const { scheduler, ask } = await stage(t, { allowedTargets: [] })
  const { fields } = await readyMock(t, 'shop')
  const forged = [
    ...[
      '127.0.0.1',
      '::1',
      '0.0.0.0',
      '::',
      '169.254.169.254',
      'fe80::1',
      '::ffff:127.0.0.1',
      '::ffff:169.254.169.254'
    ],
    ...[
      '64:ff9b::7f00:1',
      '100.100.100.200',
      'fd00:ec2::254',
      '224.0.0.1',
      '255.255.255.255',
      'localhost',
      '127.1',
      '::1%lo'
    ]
  ]
  for (const [index, podIp] of forged.entries()) {
    scheduler.fields = { ...fields, podIp }
    const { status, text } = await ask(`/projects/p${index}/`)
    t.equal(status, 502, podIp)
    t.match(text, /has an address that nothing is sent to/)
  }
  scheduler.fields = { ...fields, port: 0 }
  t.equal((await ask('/projects/port/')).status, 502)
})

t.test('a sandbox that has gone is asked for anew, without the client noticing', async t => {
  const { scheduler, ask } = await stage(t)
  const first = await readyMock(t, 'shop')
  scheduler.fields = first.fields
  t.equal((await ask('/projects/shop/')).status, 200)
  await first.mock.stop(0)
  const second = await readyMock(t, 'shop')
  await scheduler.set('shop', { state: State.TERMINATED })
  scheduler.fields = second.fields
  t.equal((await ask('/projects/shop/')).status, 200)
  t.equal(scheduler.count('create'), 2)
})

t.test('a sandbox that nobody can connect to is told as such', async t => {
  const { scheduler, ask } = await stage(t)
  const { mock, fields } = await readyMock(t, 'shop')
  await mock.stop(0)
  scheduler.fields = fields
  t.match(await ask('/projects/shop/'), { status: 502, text: /cannot be reached: connect ECONNREFUSED/ })
})

t.test('a sandbox that breaks off before it answers is a 502, after that the answer breaks off', async t => {
  const { scheduler, ask } = await stage(t)
  const { fields } = await readyServer(t, (request, response) => {
    if (request.url === '/half') response.writeHead(200, { 'content-length': '10' }).write('half')
    setImmediate(() => request.socket.destroy())
  })
  scheduler.fields = fields
  const body = 'x'.repeat(1_000_000)
  t.match(await ask('/projects/shop/', { method: 'POST', body }), { status: 502, text: /does not answer/ })
  await t.rejects(ask('/projects/shop/half'), { message: /other side closed|terminated/ })
})

t.test('only traffic makes the idle time of a sandbox begin anew', async t => {
  const { scheduler, ask } = await stage(t)
  const { fields } = await readyMock(t, 'shop')
  scheduler.fields = { ...fields, idleTimeout: { seconds: 60n, nanos: 0 } }
  await Promise.all([ask('/projects/shop/1'), ask('/projects/shop/2'), ask('/projects/shop/3')])
  await untilTrue('the scheduler is told', () => scheduler.count('touch') > 0)
  t.equal(scheduler.count('touch'), 1, 'once, and not for each request')
  scheduler.fields = fields
  await ask('/projects/endless/')
  t.equal(scheduler.count('touch'), 1, 'where there is an idle time')
})

t.test('a sandbox that it makes idles for so long as it was told', async t => {
  const { scheduler, ask } = await stage(t, { idleTimeoutMs: 90_000 })
  scheduler.fields = (await readyMock(t, 'shop')).fields
  await ask('/projects/shop/')
  const { sandbox } = await schedulerAt(scheduler.url).getSandbox({ projectId: 'shop' })
  t.equal(sandbox?.idleTimeout?.seconds, 90n)
})

t.test('the sandbox that a project has is the one that gets its traffic, however it was made', async t => {
  const { scheduler, ask } = await stage(t)
  scheduler.fields = (await readyMock(t, 'shop')).fields
  await schedulerAt(scheduler.url).createSandbox({ projectId: 'shop', env: { COLOUR: 'blue' } })
  scheduler.refusal = new ConnectError('of another env', Code.FailedPrecondition)
  t.equal((await ask('/projects/shop/')).status, 200)
  t.equal(scheduler.count('create'), 1, 'nothing more is asked for')
  t.match(await ask('/projects/blog/'), { status: 502, text: /of another env/ })
})

t.test('use that goes on is told again after a pause, and what ends is not', async t => {
  const told: string[] = []
  const clock = new ManualClock()
  const touchSandbox = async ({ id = '' }) => {
    told.push(id)
    return create(TouchSandboxResponseSchema)
  }
  const log = pino({ level: 'silent' })
  const activity = new Activity({ touchSandbox, createSandbox: never, getSandbox: never }, clock, log)
  const sandbox = create(SandboxSchema, { id: 'a', uid: 'u', idleTimeout: { seconds: 3n, nanos: 0 } })
  activity.used(sandbox)
  activity.used(sandbox)
  t.strictSame(told, ['a'])
  clock.advance(1_000)
  t.strictSame(told, ['a', 'a'], 'a third of the idle time later, for what came meanwhile')
  clock.advance(1_000)
  clock.advance(1_000)
  t.strictSame(told, ['a', 'a'], 'nothing came any more')
  activity.used(sandbox)
  activity.used(sandbox)
  activity.stop()
  clock.advance(10_000)
  t.equal(told.length, 3)
})

t.test('an activator that closes lets exchanges end', async t => {
  const { scheduler, port, activator } = await stage(t)
  scheduler.fields = (await readyMock(t, 'shop')).fields
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /projects/shop/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nha')
  const [first] = await once(socket, 'data')
  let got = String(first)
  socket.on('data', chunk => (got += String(chunk)))
  const closed = activator.close(30_000)
  socket.write('lf')
  await once(socket, 'close')
  await closed
  t.match(got, /200 OK[^]*ha[^]*lf/)
})

t.test('a range that is none is one sentence', async t => {
  for (const range of ['10.0.0.0', '10.0.0.0/33', 'x/8', '::/129', '/8', ''])
    await t.rejects(stage(t, { allowedTargets: [range] }), {
      name: 'UsageError',
      message: `${JSON.stringify(range)} must be a range of addresses, such as 10.0.0.0/8`
    })
})

t.test('a port that is taken is one sentence', async t => {
  const { activator, scheduler, port } = await stage(t)
  const parts = {
    scheduler: schedulerAt(scheduler.url),
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    port
  }
  await t.rejects(startActivator(parts), {
    name: 'UsageError',
    message: /^cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/
  })
  t.ok(activator.url)
})
