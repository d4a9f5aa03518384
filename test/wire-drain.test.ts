import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { drain } from '../extender/main.ts'
import { freePort } from './control-plane/ports.ts'
import { serving } from './cli/run.ts'
import { argsBody, bindBody } from './verbs/bodies.ts'
import { type Client, http1, http2, identityOf, kubeconfigOf, pki, type Wire, wire } from './wire.ts'

const authority = pki()
const closing = '{"Error":"muster is closing; the pod is scheduled again"}'

/** Each way to reach the verbs. */
const ways: Record<
  string,
  { tls: boolean; client: (t: Test, server: Pick<Wire, 'url' | 'identity'>) => Promise<Client> }
> = {
  'HTTP/1.1': { tls: false, client: async (t, server) => http1(t, server, 1) },
  ...(authority && {
    'HTTP/1.1 over TLS': { tls: true, client: async (t, server) => http1(t, server, 1) },
    'HTTP/2': { tls: true, client: http2 }
  })
}

/** A server of the verbs and one of the API, closed by `drain` as SIGTERM does it. */
async function running(t: Test, tls: boolean) {
  const [server, api] = [await wire(t, { authority: tls ? authority : undefined }), await wire(t)]
  return {
    server,
    api,
    drain: (ms: number) => drain(ms, server.verbs.underway, { verbs: server.listener, api: api.listener })
  }
}

/** What a client may hear of a call that was never taken: no connection, or no stream on one that said it ends. */
const refused = /ECONNREFUSED|ERR_HTTP2_GOAWAY_SESSION|ERR_HTTP2_INVALID_SESSION|NGHTTP2_REFUSED_STREAM/

/** Calls filter again and again, one call after the other, until it is refused. */
async function hammer(client: Client, counts: { answered: number }, failures: string[]): Promise<void> {
  for (;;) {
    try {
      const { status } = await client.call('/filter', argsBody(['a', 'b']))
      if (status !== 200) failures.push(String(status))
      counts.answered += 1
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException
      if (!refused.test(`${code} ${message}`)) failures.push(`${code} ${message}`)
      return
    }
  }
}

for (const [name, { tls, client }] of Object.entries(ways)) {
  t.test(
    `${name}: a bind at the barrier when closing begins gets its answer, and so do the members it waits for`,
    async t => {
      const { server, drain } = await running(t, tls)
      const opened = Promise.withResolvers<string>()
      server.verbs.gangs.onBind = () => opened.promise
      const calls = await client(t, server)
      const late = await client(t, server)
      const first = calls.call('/bind', bindBody({ PodUID: 'first' }))
      while (server.verbs.gangs.binds.length < 1) await wait(5)
      const closed = drain(5_000)
      await wait(400)
      const second = late.call('/bind', bindBody({ PodUID: 'second' }))
      while (server.verbs.gangs.binds.length < 2) await wait(5)
      opened.resolve('')
      for (const answer of [first, second]) t.strictSame(await answer, { status: 200, text: '{"Error":""}' })
      await closed
      await t.rejects(
        client(t, server).then(each => each.call('/livez')),
        'nobody listens any more'
      )
    }
  )

  t.test(`${name}: a bind that still waits at the end of the drain hears why`, async t => {
    const { server, api, drain } = await running(t, tls)
    server.verbs.gangs.onBind = async ({ signal }) => {
      await once(signal, 'abort')
      return 'kube-scheduler gave up waiting for this binding'
    }
    const answer = (await client(t, server)).call('/bind', bindBody())
    while (server.verbs.gangs.binds.length < 1) await wait(5)
    const health = http1(t, api)
    t.match(await health.call('/livez'), { status: 200 })
    const from = performance.now()
    const closed = drain(300)
    t.match(await health.call('/livez'), { status: 200 }, 'health is told meanwhile')
    t.strictSame(await answer, { status: 200, text: closing })
    await closed
    t.ok(performance.now() - from < 2_500)
  })

  t.test(`${name}: a bind that nobody ends does not keep the process`, async t => {
    const { server, drain } = await running(t, tls)
    server.verbs.gangs.onBind = () => new Promise(() => {})
    const answer = (await client(t, server)).call('/bind', bindBody())
    answer.catch(() => {})
    while (server.verbs.gangs.binds.length < 1) await wait(5)
    await drain(100)
    await t.rejects(answer)
  })

  t.test(`${name}: under load no call fails while the server closes`, async t => {
    const failures: string[] = []
    const counts = { answered: 0 }
    for (let round = 0; round < 5; round++) {
      const { server, drain } = await running(t, tls)
      const clients = await Promise.all(Array.from({ length: 8 }, () => client(t, server)))
      const done = clients.map(each => hammer(each, counts, failures))
      while (counts.answered < (round + 1) * 50) await wait(5)
      await drain(1_000)
      await Promise.all(done)
    }
    t.strictSame(failures, [])
    t.comment(`${counts.answered} calls were answered`)
  })
}

t.test('SIGTERM under load: no call of a real process fails, it is not ready at once, and it ends well', async t => {
  const kubeconfig = join(t.testdir({ 'kubeconfig.yaml': kubeconfigOf(await freePort()) }), 'kubeconfig.yaml')
  const file = (name: string): string => join(authority!.folder, name)
  const tls = authority
    ? ['--tls-cert', file('server.crt'), '--tls-key', file('server.key'), '--tls-client-ca', file('ca.crt')]
    : []
  const ports = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
  const process = serving(t, ['--kubeconfig', kubeconfig, ...ports, ...tls])
  const [{ url = '' }, { url: api = '' }] = [
    await process.line(/the extender listens/),
    await process.line(/the API listens/)
  ]
  const at = { url, identity: authority ? identityOf(authority, 'kube-scheduler') : {} }
  const kept = http1(t, { url: api, identity: {} }, 1)
  t.match((await kept.call('/readyz')).text, /^\[\+\] not closing ok$/m)

  const failures: string[] = []
  const counts = { answered: 0 }
  const own = [http1(t, at, 1), ...(authority ? [await http2(t, at)] : [])]
  const done = [...own, http1(t, at, 1)].map(each => hammer(each, counts, failures))
  while (counts.answered < 50) await wait(5)
  process.child.kill('SIGTERM')
  await process.line(/^closing$/)
  t.match(await kept.call('/readyz'), { status: 503, text: /^\[-\] not closing: closing$/m })
  await Promise.all(done)
  t.strictSame(failures, [])
  t.strictSame(await process.exited, [0, null])
  t.equal(await process.stderr, '')
})
