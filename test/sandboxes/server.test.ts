import { once } from 'node:events'
import { Code, ConnectError } from '@connectrpc/connect'
import { Counter, Registry } from 'prom-client'
import t from 'tap'
import { refusal } from '../../extender/sandboxes/refusals.ts'
import { RefusalSchema } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { traceOf } from '../../extender/sandboxes/server.ts'
import { serve } from './serve.ts'

const path = '/sandbox.v1.SchedulerService/GetSandbox'

const refuse = () => {
  const options = { subject: 'k1', retryAfterMs: 1_500 }
  throw refusal(Code.FailedPrecondition, 'idempotency_key_reused', 'the key k1 was used for another request', options)
}

t.test('S0.46 S0.49 Connect and plain routes on one port, each call one line in the log', async t => {
  let trace = ''
  const { client, ask, lines } = await serve(t, {
    services: router =>
      router.service(SchedulerService, {
        getSandbox: ({ id }, context) => {
          trace = traceOf(context)
          return { sandbox: { id } }
        }
      }),
    routes: app => void app.get('/v1/plain', async () => ({ plain: true }))
  })
  t.equal((await client(SchedulerService).getSandbox({ id: 'sbx-1' })).sandbox?.id, 'sbx-1')
  t.strictSame((await ask('GET', '/v1/plain')).body, { plain: true })
  t.match(lines, [
    { route: path, status: 200, trace: /^[0-9a-f]{32}$/ },
    { route: '/v1/plain', status: 200 }
  ])
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  t.match(await ask('POST', path, { id: 'a' }, { traceparent }), { status: 200, body: { sandbox: { id: 'a' } } })
  t.equal(trace, '0af7651916cd43dd8448eb211c80319c')
  t.equal(lines.at(-1).trace, trace)
})

t.test('bad requests get one sentence', async t => {
  const { ask } = await serve(t, {
    services: router => router.service(SchedulerService, { getSandbox: () => ({}) }),
    routes: app => void app.post('/v1/plain', async () => ({}))
  })
  const table = {
    'an unknown field, by its name': { ...{ path, body: { id: 'x', ids: 'x' } }, want: [400, /"ids" is unknown/] },
    'no JSON for a call': { ...{ path, body: '{' }, want: [400, /JSON/] },
    'no JSON for a route': { ...{ path: '/v1/plain', body: '{' }, want: [400, /^the body is no JSON$/] },
    'a large body for a call': { ...{ path, body: { id: 'x'.repeat(300_000) } }, want: [429, /262144/] },
    'a large body for a route': { path: '/v1/plain', body: { id: 'x'.repeat(300_000) }, want: [413, /262144 bytes/] },
    'nothing there': { ...{ path: '/v1/nothing', body: {} }, want: [404, /^there is no POST \/v1\/nothing here$/] }
  } as const
  for (const [name, { path: where, body, want }] of Object.entries(table)) {
    const answer = await ask('POST', where, body)
    t.equal(answer.status, want[0], name)
    t.match(answer.body.message, want[1], name)
  }
})

t.test('a refusal reads the same over Connect and plainly, but for the 422 that Connect has not', async t => {
  const { client, ask } = await serve(t, {
    services: router => router.service(SchedulerService, { getSandbox: refuse }),
    routes: app => void app.get('/v1/plain', async () => refuse())
  })
  const plain = await ask('GET', '/v1/plain')
  const over = await ask('POST', path, {})
  t.strictSame([plain.status, over.status], [422, 400])
  t.strictSame(plain.body, over.body)
  t.strictSame([plain.headers['retry-after'], over.headers['retry-after']], ['2', '2'])
  const error = await client(SchedulerService)
    .getSandbox({})
    .catch((thrown: unknown) => thrown as ConnectError)
  t.ok(error instanceof ConnectError)
  t.match((error as ConnectError).findDetails(RefusalSchema)[0], { reason: 'idempotency_key_reused', subject: 'k1' })
})

t.test('what nobody expected is told to the log alone', async t => {
  const { ask, lines } = await serve(t, {
    routes: app =>
      void app.get('/v1/plain', async () => {
        throw new Error('a secret')
      })
  })
  const { status, body } = await ask('GET', '/v1/plain')
  t.equal(status, 500)
  t.strictSame(body, { code: 'internal', message: 'failed to answer; the log says why' })
  t.match(
    lines.find(line => line.level >= 50),
    { err: { message: 'a secret' } }
  )
})

t.test('probes and metrics', async t => {
  const registry = new Registry()
  new Counter({ name: 'muster_things_total', help: 'Things.', registers: [registry] }).inc(3)
  const state = { problem: 'not listed yet' as string | undefined }
  const { ask } = await serve(t, { registry, checks: [{ name: 'pods', problem: () => state.problem }] })
  t.equal((await ask('GET', '/livez')).status, 200)
  t.match(await ask('GET', '/readyz'), { status: 503, body: '[-] pods: not listed yet\n' })
  state.problem = undefined
  t.match(await ask('GET', '/readyz'), { status: 200, body: '[+] pods ok\n' })
  t.match((await ask('GET', '/metrics')).body, /^muster_things_total 3$/m)
})

t.test('closing ends streams, Connect and plain', async t => {
  const { client, url, close } = await serve(t, {
    services: router =>
      router.service(SchedulerService, {
        async *watchSandboxes(_, { signal }) {
          yield { sandbox: { id: 'a' } }
          await once(signal, 'abort')
          throw signal.reason
        }
      }),
    routes: (app, closing) =>
      void app.get('/v1/stream', (_request, reply) => {
        reply.hijack()
        reply.raw.write('begun\n')
        closing.addEventListener('abort', () => reply.raw.end())
      })
  })
  const plain = await fetch(`${url}/v1/stream`)
  const said: string[] = []
  const error = await (async () => {
    for await (const { sandbox } of client(SchedulerService).watchSandboxes({})) {
      said.push(sandbox?.id ?? '')
      void close()
    }
  })().catch((thrown: unknown) => thrown as ConnectError)
  t.strictSame(said, ['a'])
  t.equal((error as ConnectError).code, Code.Unavailable)
  t.equal(await plain.text(), 'begun\n')
  await close()
})
