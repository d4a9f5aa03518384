import { once } from 'node:events'
import { copyFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { connect, type ConnectionOptions } from 'node:tls'
import t from 'tap'
import { Registry } from 'prom-client'
import { Certificates, namesIn } from '../extender/tls.ts'
import { certificates } from './kubernetes/certificates.ts'
import { argsBody, bindBody } from './verbs/bodies.ts'
import { muster, serving } from './cli/run.ts'
import { http1, http2, identityOf, kubeconfigOf, pki, wire } from './wire.ts'

const authority = pki()
if (!authority) {
  t.plan(0, 'openssl is missing')
  process.exit(0)
}

/** The connection after its handshake, or the code of the failure. */
async function handshake(port: number, options: ConnectionOptions) {
  const socket = connect({ host: '127.0.0.1', port, ca: authority!.read('ca.crt'), ...options })
  try {
    await once(socket, 'secureConnect')
    const found = {
      protocol: socket.getProtocol(),
      alpn: socket.alpnProtocol,
      name: socket.getPeerCertificate().serialNumber
    }
    // Under TLS 1.3 a server's refusal comes after the client's handshake.
    const ended = await Promise.race([
      once(socket, 'close').then(() => true),
      once(socket, 'error').then(() => true),
      wait(100)
    ])
    return { ...found, ended: ended === true }
  } catch (error) {
    return { failed: (error as NodeJS.ErrnoException).code, name: '', ended: true }
  } finally {
    socket.destroy()
  }
}

t.test('TLS from 1.2 on, HTTP/2 where the client can, else HTTP/1.1 on the same port', async t => {
  const { port } = await wire(t, { authority })
  t.match(await handshake(port, { ALPNProtocols: ['h2', 'http/1.1'] }), { protocol: 'TLSv1.3', alpn: 'h2' })
  t.match(await handshake(port, { maxVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] }), {
    protocol: 'TLSv1.2',
    alpn: 'http/1.1'
  })
  t.match(await handshake(port, {}), { alpn: false, ended: false }, 'and without ALPN')
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  t.match(await handshake(port, old), { failed: /./ })
})

t.test('both protocols answer every verb alike', async t => {
  const server = await wire(t, { authority })
  t.match(server.url, /^https:/)
  const plain = await wire(t)
  const clients = [http1(t, plain), http1(t, server), await http2(t, server)]
  for (const [path, body] of [
    ['/filter', argsBody(['a'])],
    ['/bind', bindBody()],
    ['/nonsense', '{}'],
    ['/bind', '{']
  ] as const) {
    const [want, ...others] = await Promise.all(clients.map(client => client.call(path, body)))
    for (const other of others) t.strictSame(other, want, path)
  }
  t.match(await clients[2]!.call('/livez'), { status: 200, text: 'ok\n' })
})

t.test('with a CA of clients, nobody else gets in', async t => {
  const server = await wire(t, { authority, mutual: true })
  const stranger = certificates()!
  stranger.issue('kube-scheduler', 'DNS:scheduler.example.com')
  for (const alpn of ['h2', 'http/1.1']) {
    t.match(await handshake(server.port, { ALPNProtocols: [alpn] }), { ended: true }, 'no certificate')
    const { cert, key } = identityOf(stranger, 'kube-scheduler')
    t.match(await handshake(server.port, { ALPNProtocols: [alpn], cert, key }), { ended: true }, 'of another CA')
  }
  t.match(await (await http2(t, server)).call('/bind', bindBody()), { status: 200 })
  t.match(await http1(t, server).call('/bind', bindBody()), { status: 200 })
  t.equal(server.verbs.gangs.binds.length, 2)
  const said = server.lines.filter(({ level }) => level === 40).map(({ msg }) => msg)
  t.equal(said.length, 1, 'one line a minute')
  t.match(
    said[0],
    /^the extender refused a TLS client: (peer did not return a certificate|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/
  )
})

t.test('of those whom the CA has signed for, only the named ones may call', async t => {
  const error =
    /^the client is called kube-scheduler, scheduler.example.com, spiffe:\/\/cluster\/kube-scheduler, and only (other|a, b) may call$/
  for (const clientNames of [['other'], ['a', 'b']]) {
    const server = await wire(t, { authority, mutual: true, clientNames })
    for (const client of [http1(t, server), await http2(t, server)]) {
      for (const path of ['/filter', '/bind', '/nonsense', '/livez']) {
        const answer = await client.call(path, path === '/livez' ? undefined : '{')
        t.equal(answer.status, 403)
        t.match(JSON.parse(answer.text), { error })
      }
    }
  }
  for (const name of ['kube-scheduler', 'scheduler.example.com', 'spiffe://cluster/kube-scheduler']) {
    const server = await wire(t, { authority, mutual: true, clientNames: ['x', name] })
    for (const client of [http1(t, server), await http2(t, server)])
      t.match(await client.call('/bind', bindBody()), { status: 200 }, name)
  }
})

t.test('a name that looks like several is one', async t => {
  const subjectaltname = 'DNS:"a, DNS:b", URI:c, IP Address:127.0.0.1'
  t.strictSame(namesIn({ subjectaltname }), ['a, DNS:b', 'c', '127.0.0.1'])
  t.strictSame(namesIn({}), [])
  t.strictSame(namesIn({ subject: { CN: ['a', 'b'] } }), ['a', 'b'])
})

t.test('files that change are used from the next connection on; what cannot be used changes nothing', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-tls-'))
  cpSync(authority.folder, folder, { recursive: true })
  const mine = { ...authority, folder }
  const server = await wire(t, { authority: mine, mutual: true, lookMs: 20 })
  const expiry = async () =>
    (await server.registry.getSingleMetric('muster_certificate_expiry_timestamp_seconds')!.get()).values[0]!.value
  const show = () => identityOf(authority, 'kube-scheduler')
  const serial = async () => (await handshake(server.port, show())).name
  const [first, before] = [await serial(), await expiry()]
  t.ok(before > Date.now() / 1000 && before < Date.now() / 1000 + 3 * 86_400, 'in seconds')
  const waiting = Promise.withResolvers<string>()
  const asked = Promise.withResolvers<void>()
  server.verbs.gangs.onBind = () => (asked.resolve(), waiting.promise)
  const old = await http2(t, server)
  const bound = old.call('/bind', bindBody())
  await asked.promise

  for (const garbage of ['', 'nonsense', authority.read('kube-scheduler.key').toString()]) {
    writeFileSync(join(folder, 'server.key'), garbage)
    await wait(80)
    t.equal(await serial(), first)
  }
  copyFileSync(join(authority.folder, 'server.key'), join(folder, 'server.key'))
  writeFileSync(join(folder, 'ca.crt'), 'no certificate at all')
  await wait(80)
  t.equal(await serial(), first)
  copyFileSync(join(authority.folder, 'ca.crt'), join(folder, 'ca.crt'))
  t.equal(
    server.lines.filter(({ level, msg }) => level === 50 && msg.endsWith('what was there before stays in use')).length,
    4,
    'each said once'
  )

  authority.issue('server', 'DNS:localhost,IP:127.0.0.1')
  for (const name of ['server.crt', 'server.key']) copyFileSync(join(authority.folder, name), join(folder, name))
  while ((await serial()) === first) await wait(20)
  t.ok((await expiry()) >= before)
  if (!old.session!.closed) await once(old.session!, 'goaway')
  t.notOk(old.session!.destroyed, 'the old connection lives')
  waiting.resolve('')
  t.strictSame(await bound, { status: 200, text: '{"Error":""}' }, 'until what was under way is answered')
  t.match(await (await http2(t, server)).call('/livez'), { status: 200 })
})

t.test('plain HTTP that others can reach is worth a line, and TLS files are named in theirs', async t => {
  const kubeconfig = join(t.testdir({ 'kubeconfig.yaml': kubeconfigOf(1) }), 'kubeconfig.yaml')
  const warnings = async (...args: string[]) => {
    const server = serving(t, ['--kubeconfig', kubeconfig, '--api-listen', '127.0.0.1:0', ...args])
    await server.line(/the API listens/)
    await server.line(/cannot reach/)
    return server.lines.map(({ msg }) => msg).filter(msg => /plain HTTP/.test(msg))
  }
  const all = ['--listen', '0.0.0.0:0']
  const files = ['--tls-cert', join(authority.folder, 'server.crt'), '--tls-key', join(authority.folder, 'server.key')]
  t.strictSame(await warnings(...all), ['the verbs are plain HTTP for whoever reaches this address; see --tls-cert'])
  t.strictSame(await warnings(...all, ...files), [])
  t.strictSame(await warnings('--listen', '127.0.0.1:0'), [])
  const { stderr, code } = await muster([
    'serve',
    '--kubeconfig',
    kubeconfig,
    ...all,
    '--tls-cert',
    '/gone',
    '--tls-key',
    '/gone'
  ])
  t.match(stderr, /^muster: cannot use \/gone, \/gone: ENOENT[^\n]*\n$/)
  t.equal(code, 2)
})

t.test('files that cannot be used at the start are a mistake of the user', async t => {
  const { folder } = authority
  const make = (cert: string, key: string, clientCa?: string) => () =>
    new Certificates({
      files: {
        cert: join(folder, cert),
        key: join(folder, key),
        clientCa: clientCa && join(folder, clientCa),
        clientNames: []
      },
      ...{ registry: new Registry(), log: { info: () => {}, error: () => {} } }
    })
  t.throws(make('gone.crt', 'server.key'), {
    name: 'UsageError',
    message: /^cannot use .*gone.crt, .*server.key: ENOENT/
  })
  t.throws(make('server.crt', 'kube-scheduler.key'), {
    name: 'UsageError',
    message: /the key belongs to another certificate$/
  })
  t.throws(make('server.crt', 'server.key', 'server.key'), { name: 'UsageError' }, 'a CA file without a certificate')
  t.doesNotThrow(make('server.crt', 'server.key', 'ca.crt'))
})
