import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { UsageError } from '../../extender/errors.ts'
import type { ApiServer } from '../../extender/kubernetes/api-server.ts'
import { connect, Connection, connectTo } from '../../extender/kubernetes/connection.ts'
import { cached } from '../../extender/kubernetes/credentials.ts'
import { ConnectionError } from '../../extender/kubernetes/errors.ts'
import { kubernetesMetrics } from '../../extender/kubernetes/metrics.ts'
import { codeLabel, resourceLabel, verbLabel } from '../../extender/kubernetes/request-labels.ts'
import { undiciTransport } from '../../extender/kubernetes/transport.ts'
import { certificates } from './certificates.ts'
import { fakeApiServer, type Reply } from './fake-api-server.ts'
import { ManualClock } from './manual-clock.ts'
import { parts } from './parts.ts'

const ok = (_: unknown, reply: Reply): void => reply.json(200, { ok: true })
const pods = { method: 'GET', path: '/api/v1/pods' } as const

/** The code of what was thrown. */
async function code(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error instanceof ConnectionError ? error.code : String(error)
  }
}

t.test('S2.2 every status is an answer', async t => {
  const server = await fakeApiServer(t, (received, reply) => {
    if (received.path.endsWith('/empty')) reply.response.writeHead(204).end()
    else if (received.path.endsWith('/html')) reply.response.writeHead(502, { 'Retry-After': '3' }).end('<html>')
    else reply.status(500)
  })
  const { api, metric } = parts(t, `${server.url}/`)
  t.equal(api.url, server.url)
  t.match(await api.request({ ...pods, query: { limit: 5, labelSelector: 'a=b,c', none: undefined } }), { status: 500 })
  t.equal(server.requests[0]!.query.toString(), 'limit=5&labelSelector=a%3Db%2Cc')
  t.match(await api.request({ method: 'GET', path: '/empty' }), { status: 204, body: undefined })
  const html = await api.request({ method: 'GET', path: '/html' })
  t.match(html, { status: 502, body: undefined })
  t.equal(html.headers['retry-after'], '3')
  t.equal(await metric('muster_apiserver_requests_total{verb="list",resource="pods",code="500"}'), 1)
  t.equal(await metric('muster_apiserver_requests_total{verb="get",resource="other",code="2xx"}'), 1)
})

t.test('a path in front of the server is kept', async t => {
  const server = await fakeApiServer(t, ok)
  const { api } = parts(t, `${server.url}/k8s/clusters/c1/`)
  await api.request(pods)
  t.equal(server.requests[0]!.path, '/k8s/clusters/c1/api/v1/pods')
})

t.test('not sent is told from sent and lost', async t => {
  const server = await fakeApiServer(t, (received, reply) => {
    if (received.path === '/reset') reply.reset()
    else if (received.path === '/half') {
      reply.response.writeHead(200, { 'content-length': '100' }).write('{"half":')
      setTimeout(() => reply.reset(), 5)
    }
  })
  const { api, clock } = parts(t, server.url)
  t.equal(await code(api.request({ method: 'POST', path: '/reset', body: {} })), 'MUSTER_UNKNOWN_OUTCOME')
  t.equal(await code(api.request({ method: 'POST', path: '/half', body: {} })), 'MUSTER_UNKNOWN_OUTCOME')
  const hanging = code(api.request({ method: 'POST', path: '/hang', body: {}, timeoutMs: 1_000 }))
  await clock.settled(() => server.requests.some(request => request.path === '/hang'))
  clock.advance(1_000)
  t.equal(await hanging, 'MUSTER_UNKNOWN_OUTCOME')
  const controller = new AbortController()
  const aborted = code(api.request({ method: 'POST', path: '/hang2', body: {}, signal: controller.signal }))
  await clock.settled(() => server.requests.some(request => request.path === '/hang2'))
  controller.abort()
  t.equal(await aborted, 'MUSTER_UNKNOWN_OUTCOME')
  t.equal(await code(api.request({ ...pods, signal: AbortSignal.abort() })), 'MUSTER_NOT_SENT')
  const refused = parts(t, server.url.replace(/\d+$/, '1'))
  t.equal(await code(refused.api.request({ method: 'POST', path: '/', body: {} })), 'MUSTER_NOT_SENT')
  const nobody = parts(t, 'http://no-such-host.invalid')
  t.equal(await code(nobody.api.request({ method: 'POST', path: '/', body: {} })), 'MUSTER_NOT_SENT')
  t.equal(clock.pending, 0, 'no timer is left')
})

t.test('requests share few connections; one that waits for its turn and is given up was not sent', async t => {
  const held: Reply[] = []
  const server = await fakeApiServer(t, (_, reply) => void held.push(reply))
  const { api, clock } = parts(t, server.url)
  const all = Array.from({ length: 40 }, () => api.request({ method: 'POST', path: '/', body: {} }))
  await clock.settled(() => held.length === 32)
  const controller = new AbortController()
  const queued = code(api.request({ method: 'POST', path: '/late', body: {}, signal: controller.signal }))
  controller.abort()
  t.equal(await queued, 'MUSTER_NOT_SENT')
  t.equal(server.connections.count, 32)
  for (const reply of held.splice(0)) reply.status(201)
  await clock.settled(() => held.length === 8)
  for (const reply of held.splice(0)) reply.status(201)
  await Promise.all(all)
  t.equal(server.connections.count, 32)
  t.notOk(server.requests.some(request => request.path === '/late'))
})

t.test('streams never take the place of writes', async t => {
  const server = await fakeApiServer(t, (received, reply) => {
    if (received.query.has('watch')) reply.watch()
    else ok(received, reply)
  })
  const { api } = parts(t, server.url)
  const controller = new AbortController()
  const streams = Array.from({ length: 40 }, () =>
    api.stream({ ...pods, query: { watch: true }, signal: controller.signal })
  )
  for (const stream of await Promise.all(streams)) t.equal(stream.status, 200)
  t.match(await api.request(pods), { status: 200 })
  const [stream] = await Promise.all(streams)
  controller.abort()
  await t.rejects(stream!.chunks[Symbol.asyncIterator]().next(), 'the signal cuts the body')
})

t.test('labels come from closed sets', async t => {
  t.equal(resourceLabel('/api/v1/pods'), 'pods')
  t.equal(resourceLabel('/api/v1/namespaces/ns/pods/a'), 'pods')
  t.equal(resourceLabel('/api/v1/namespaces/ns/pods/a/binding'), 'pods/binding')
  t.equal(resourceLabel('/api/v1/namespaces/pods'), 'namespaces')
  t.equal(resourceLabel('/apis/apps/v1/replicasets'), 'replicasets')
  t.equal(resourceLabel('/apis/coordination.k8s.io/v1/namespaces/ns/leases/muster'), 'leases')
  for (const path of ['/', '/version', '/apis/x/v1/secrets', '/api/v1/namespaces/ns/pods/a/exec']) {
    t.equal(resourceLabel(path), 'other', path)
  }
  t.equal(verbLabel({ method: 'GET', path: '/api/v1/namespaces/ns/pods/a' }), 'get')
  t.equal(verbLabel({ method: 'GET', path: '/api/v1/namespaces/ns/pods' }), 'list')
  t.equal(verbLabel({ ...pods, query: { watch: true } }), 'watch')
  t.equal(verbLabel({ ...pods, method: 'DELETE' }), 'delete')
  t.strictSame([200, 418, 599].map(codeLabel), ['200', '4xx', '5xx'])
})

/** Writes a kubeconfig and answers its path. */
function kubeconfig(t: Test, cluster: object, user: object): string {
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster }],
    users: [{ name: 'u', user }]
  }
  return join(t.testdir({ config: stringify(config) }), 'config')
}

async function connected(t: Test, path: string): Promise<{ api: ApiServer; clock: ManualClock }> {
  const clock = new ManualClock()
  const api = await connect({ clock, metrics: kubernetesMetrics(new Registry()), kubeconfig: path })
  t.teardown(() => api.close())
  return { api, clock }
}

const users: Record<string, { user: object; want: string | undefined }> = {
  'a token': { user: { token: 'secret' }, want: 'Bearer secret' },
  'a password': { user: { username: 'me', password: 'pw' }, want: `Basic ${Buffer.from('me:pw').toString('base64')}` },
  nobody: { user: {}, want: undefined },
  'an exec plugin': {
    user: {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: process.execPath,
        args: [
          '-e',
          'const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({ ...info, status: { token: "of-" + info.kind } }))'
        ]
      }
    },
    want: 'Bearer of-ExecCredential'
  }
}
for (const [name, { user, want }] of Object.entries(users)) {
  t.test(`S3.6 authenticates with ${name}, over plain http too`, async t => {
    const server = await fakeApiServer(t, ok)
    const { api } = await connected(t, kubeconfig(t, { server: server.url }, user))
    t.match(await api.request(pods), { status: 200, body: { ok: true } })
    t.equal(server.requests[0]!.headers.authorization, want)
  })
}

t.test('a token file is read again, once for all who wait, and at once when refused', async t => {
  let status = 200
  const server = await fakeApiServer(t, (_, reply) => reply.status(status))
  const folder = t.testdir({ token: 'one\n' })
  const [file, path] = [join(folder, 'token'), join(folder, 'config')]
  writeFileSync(
    path,
    stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      clusters: [{ name: 'k', cluster: { server: server.url } }],
      users: [{ name: 'u', user: { tokenFile: file } }]
    })
  )
  const { api, clock } = await connected(t, path)
  const sent = async (): Promise<string | undefined> => {
    await api.request(pods)
    return server.requests.at(-1)!.headers.authorization
  }
  t.equal(await sent(), 'Bearer one')
  writeFileSync(file, 'two')
  t.equal(await sent(), 'Bearer one', 'still fresh')
  clock.advance(6_000)
  t.equal(await sent(), 'Bearer two')
  writeFileSync(file, 'three')
  status = 401
  t.equal(await sent(), 'Bearer two')
  t.equal(await sent(), 'Bearer three')
  renameSync(file, `${file}.away`)
  clock.advance(6_000)
  t.equal(await code(api.request(pods)), 'MUSTER_NOT_SENT', 'no token, no request')
  renameSync(`${file}.away`, file)
  t.equal(await sent(), 'Bearer three', 'a failure is not kept')
})

t.test('requests that come together share one reading of the credentials', async t => {
  const server = await fakeApiServer(t, ok)
  const clock = new ManualClock()
  let reads = 0
  const api = new Connection({
    clock,
    metrics: kubernetesMetrics(new Registry()),
    credentials: cached(clock, server.url, async () => {
      reads += 1
      return { headers: {}, tls: {} }
    }),
    transport: tls => undiciTransport({ origin: server.url, tls, connections: 2 })
  })
  t.teardown(() => api.close())
  await Promise.all(Array.from({ length: 10 }, () => api.request(pods)))
  t.equal(reads, 1)
})

const bad: Record<string, { cluster: object; want: RegExp }> = {
  'a proxy': { cluster: { server: 'https://x', 'proxy-url': 'socks5://y' }, want: /proxy-url of cluster "k"/ },
  'an odd server': { cluster: { server: 'ftp://x' }, want: /"ftp:\/\/x" is not an http/ },
  'no server': { cluster: {}, want: /server is missing/ }
}
for (const [name, { cluster, want }] of Object.entries(bad)) {
  t.test(`a kubeconfig with ${name} is refused`, async t => {
    await t.rejects(connected(t, kubeconfig(t, cluster, {})), { name: 'UsageError', message: want })
  })
}
t.test('a kubeconfig that is none is refused', async t => {
  await t.rejects(connected(t, '/no/such/file'), {
    name: 'UsageError',
    message: /cannot read the kubeconfig \/no\/such/
  })
  const odd = join(t.testdir({ config: 'current-context: c\n' }), 'config')
  await t.rejects(connected(t, odd), UsageError)
})

const made = certificates()
t.test('TLS', { skip: made ? false : 'openssl is missing' }, async t => {
  const { folder, read, issue } = made!
  issue('server', 'IP:127.0.0.1')
  issue('other', 'DNS:kubernetes')
  issue('client', 'DNS:client')
  const tlsOf = (name: string): { key: Buffer; cert: Buffer } => ({
    key: read(`${name}.key`),
    cert: read(`${name}.crt`)
  })
  const ca = { 'certificate-authority': join(folder, 'ca.crt') }

  t.test('the CA of the kubeconfig is trusted, and no other', async t => {
    const server = await fakeApiServer(t, ok, tlsOf('server'))
    const data = { 'certificate-authority-data': read('ca.crt').toString('base64') }
    for (const trust of [ca, data, { 'insecure-skip-tls-verify': true }]) {
      const { api } = await connected(t, kubeconfig(t, { server: server.url, ...trust }, { token: 'x' }))
      t.match(await api.request(pods), { status: 200 })
    }
    const { api } = await connected(t, kubeconfig(t, { server: server.url }, { token: 'x' }))
    t.equal(await code(api.request(pods)), 'MUSTER_NOT_SENT')
  })

  t.test('tls-server-name is what the certificate is checked against', async t => {
    const server = await fakeApiServer(t, ok, tlsOf('other'))
    const named = { server: server.url, ...ca, 'tls-server-name': 'kubernetes' }
    const right = await connected(t, kubeconfig(t, named, {}))
    t.match(await right.api.request(pods), { status: 200 })
    const wrong = await connected(t, kubeconfig(t, { server: server.url, ...ca }, {}))
    t.equal(await code(wrong.api.request(pods)), 'MUSTER_NOT_SENT')
  })

  t.test('a client certificate is shown; a new one is taken up with new connections', async t => {
    const seen: string[] = []
    const server = await fakeApiServer(
      t,
      (_, reply) => {
        const socket = reply.response.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
        seen.push(socket.getPeerCertificate().subject.CN)
        reply.status(200)
      },
      { ...tlsOf('server'), ca: read('ca.crt'), requestCert: true }
    )
    const files = t.testdir({ 'tls.crt': read('client.crt'), 'tls.key': read('client.key') })
    const user = { 'client-certificate': join(files, 'tls.crt'), 'client-key': join(files, 'tls.key') }
    const path = join(folder, 'config')
    writeFileSync(
      path,
      stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
        clusters: [{ name: 'k', cluster: { server: server.url, ...ca } }],
        users: [{ name: 'u', user }]
      })
    )
    const { api, clock } = await connected(t, path)
    for (let i = 0; i < 6; i += 1) await api.request(pods)
    t.ok(server.connections.count <= 2, 'connections are kept')
    issue('renewed', 'DNS:client')
    writeFileSync(join(files, 'tls.crt'), read('renewed.crt'))
    writeFileSync(join(files, 'tls.key'), read('renewed.key'))
    clock.advance(6_000)
    await api.request(pods)
    t.strictSame(seen, [...Array<string>(6).fill('client'), 'renewed'])
  })
})

t.test('connectTo sends the header it is given', async t => {
  const server = await fakeApiServer(t, ok)
  const metrics = kubernetesMetrics(new Registry())
  const api = connectTo(server.url, { clock: new ManualClock(), metrics, authorization: 'Bearer t' })
  t.teardown(() => api.close())
  await api.request(pods)
  t.equal(server.requests[0]!.headers.authorization, 'Bearer t')
  t.equal(server.requests[0]!.headers['user-agent'], 'muster')
})
