import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Agent, request } from 'undici'
import type { Loose } from './http-rig.ts'
import { startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { selfMadeCertificate } from '../../extender/embedded/api-server/certificates.ts'

t.test('the self-made certificate is one', async t => {
  const now = Date.parse('2026-03-04T05:06:07Z')
  const { ca, cert } = selfMadeCertificate(['localhost', '127.0.0.1', '::1', 'fe80::1:2'], now)
  const [authority, leaf] = [new X509Certificate(ca), new X509Certificate(cert)]
  t.ok(authority.ca)
  t.notOk(leaf.ca)
  t.ok(authority.verify(authority.publicKey))
  t.ok(leaf.verify(authority.publicKey))
  t.ok(leaf.checkIssued(authority))
  t.equal(leaf.checkHost('localhost'), 'localhost')
  for (const address of ['127.0.0.1', '::1', 'fe80::1:2']) t.ok(leaf.checkIP(address), address)
  t.notOk(leaf.checkHost('example.com'))
  t.equal(leaf.validFromDate.toISOString(), '2026-03-03T05:06:07.000Z')
  t.not(new X509Certificate(selfMadeCertificate(['a'], now).cert).serialNumber, leaf.serialNumber)

  const folder = mkdtempSync(join(tmpdir(), 'muster-certificate-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'ca.pem'), ca)
  writeFileSync(join(folder, 'cert.pem'), cert)
  const check = ['verify', '-x509_strict', '-attime', String(now / 1000), '-purpose', 'sslserver', '-CAfile']
  try {
    t.match(String(execFileSync('openssl', [...check, 'ca.pem', 'cert.pem'], { cwd: folder, stdio: 'pipe' })), /OK/)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    t.comment('openssl is not there')
  }
})

t.test('TLS: the kubeconfig has all that a client needs, and the file is its owner’s', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-kubeconfig-'))
  const kubeconfigFile = join(folder, 'config')
  const cluster = await startEmbeddedCluster({ kubeconfigFile })
  t.teardown(async () => {
    await cluster.stop()
    rmSync(folder, { recursive: true })
  })
  t.equal(readFileSync(kubeconfigFile, 'utf8'), cluster.kubeconfig)
  t.equal(statSync(kubeconfigFile).mode & 0o777, 0o600)
  const config = JSON.parse(cluster.kubeconfig)
  const { server, 'certificate-authority-data': data } = config.clusters[0].cluster
  t.match(server, /^https:\/\/127\.0\.0\.1:\d+$/)
  const dispatcher = new Agent({ connect: { ca: Buffer.from(data, 'base64').toString() } })
  t.teardown(() => dispatcher.destroy())
  const headers = { authorization: `Bearer ${config.users[0].user.token}` }
  const answer = await request(`${server}/api/v1/namespaces`, { dispatcher, headers })
  t.equal(((await answer.body.json()) as Loose).items.length, 4)
  t.equal(cluster.audit[0]?.user, 'admin')
  await t.rejects(request(`${server}/version`), /certificate/, 'and whoever does not know the CA does not trust it')
})

t.test('a port in use is one sentence', async t => {
  const cluster = await startEmbeddedCluster({ tls: false })
  t.teardown(() => cluster.stop())
  const port = Number(new URL(cluster.url).port)
  await t.rejects(startEmbeddedCluster({ tls: false, port }), {
    name: 'UsageError',
    message: new RegExp(`cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`)
  })
})
