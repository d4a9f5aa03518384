import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { muster } from '../control-plane/muster.ts'
import { isBound, podObject } from '../control-plane/objects.ts'
import { freePort } from '../control-plane/ports.ts'
import { answers } from '../control-plane/probe.ts'
import { certificates } from '../kubernetes/certificates.ts'
import { openLab } from './scenario.ts'

const size = 64
const cli = join(import.meta.dirname, '..', '..', 'extender', 'cli', 'muster.ts')

/** The most connections to a port of this host that were open at a time; undefined where the system does not tell. */
function mostConnections(t: Test, port: number): () => number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  let most: number | undefined
  const look = async (): Promise<void> => {
    const table = await readFile('/proc/net/tcp', 'utf8').catch(() => undefined)
    const rows = table?.split('\n').map(line => line.trim().split(/\s+/)) ?? []
    const open = rows.filter(([, local, , state]) => local?.endsWith(suffix) && state === '01').length
    if (table !== undefined) most = Math.max(most ?? 0, open)
  }
  const timer = setInterval(() => void look(), 20)
  t.teardown(() => clearInterval(timer))
  return () => most
}

const pki = certificates()
const lab = pki && (await openLab(t, { muster: false }))
if (!pki) t.plan(0, 'openssl is missing')

if (pki && lab) {
  t.test('the real kube-scheduler binds gangs of 64 over HTTP/2 with certificates on both sides', async t => {
    t.setTimeout(120_000)
    const { cluster } = lab
    pki.issue('muster', 'IP:127.0.0.1')
    pki.issue('system:kube-scheduler', 'DNS:kube-scheduler')
    const file = (name: string): string => join(pki.folder, name)
    const [port, apiPort] = [await freePort(), await freePort()]
    const most = mostConnections(t, port)
    const server = cluster.add({
      name: 'muster',
      command: process.execPath,
      args: [
        ...[cli, 'serve', '--kubeconfig', await cluster.kubeconfig('muster')],
        ...['--listen', `127.0.0.1:${port}`, '--api-listen', `127.0.0.1:${apiPort}`],
        ...['--tls-cert', file('muster.crt'), '--tls-key', file('muster.key')],
        ...['--tls-client-ca', file('ca.crt'), '--tls-client-name', 'system:kube-scheduler']
      ],
      ready: () => answers(`http://127.0.0.1:${apiPort}/readyz`)
    })
    const config = await muster(
      ...['scheduler-config', '--kubeconfig', await cluster.kubeconfig('system:kube-scheduler')],
      ...['--extender', `https://127.0.0.1:${port}`, '--ca', file('ca.crt')],
      ...['--client-cert', file('system:kube-scheduler.crt'), '--client-key', file('system:kube-scheduler.key')]
    )
    const path = join(cluster.site.dir, 'scheduler-over-tls.yaml')
    await writeFile(path, config)
    const scheduler = await cluster.scheduler(path)
    await server.start()
    await scheduler.start()
    await lab.createNodes('node', size)

    for (const name of ['first', 'second']) {
      const begun = performance.now()
      const namespace = await lab.createNamespace(name)
      await lab.createGang(namespace, { name, size, gated: true })
      await lab.waitFor(`gang ${name} is bound`, () => lab.podsIn(namespace).filter(isBound).length === size)
      t.comment(`${name}: bound in ${Math.round(performance.now() - begun)} ms, at most ${most()} connections`)
      t.equal(new Set(lab.podsIn(namespace).map(pod => pod.spec.nodeName)).size, size)
      await cluster.client.delete(`/api/v1/namespaces/${namespace}/pods`)
      await lab.waitFor('all pods are deleted', () => lab.pods.values().length === 0)
    }
    t.ok((most() ?? 0) < size / 4, `${size} binds waited at a time on ${most()} connections`)

    const ordinary = Array.from({ length: size }, (_, index) => podObject(`ordinary-${index}`))
    const created = lab.createPods('default', ordinary, 2)
    await lab.waitFor('some are bound', () => lab.podsIn('default').filter(isBound).length > 5)
    const from = performance.now()
    await server.stop()
    t.comment(`ended in ${Math.round(performance.now() - from)} ms, with ${lab.podsIn('default').length} pods created`)
    await created
    await server.start()
    await lab.waitFor('all are bound', () => lab.podsIn('default').filter(isBound).length === size)
    const said = await readFile(scheduler.spec.logFile, 'utf8')
    const failures = said.match(/[^\n"]*(EOF|reset by peer|broken pipe|GOAWAY|RST_STREAM|code 50)[^\n"]*/g)
    t.equal(failures, null, 'kube-scheduler saw no call cut off')
    t.comment(`${said.match(/connection refused/g)?.length ?? 0} times it found nobody there`)
    t.strictSame(lab.history.boundTwice(), [])
  })
}
