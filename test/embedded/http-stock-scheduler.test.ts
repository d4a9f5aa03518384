import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { type EmbeddedCluster, startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { controllers, kubelet, usualNodes } from '../../extender/embedded/parts.ts'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { buildTools, type Tools } from '../control-plane/build.ts'
import { muster } from '../control-plane/muster.ts'
import { gangObjects, type Pod, podObject } from '../control-plane/objects.ts'
import { freePort } from '../control-plane/ports.ts'
import { answers } from '../control-plane/probe.ts'
import { ManagedProcess } from '../control-plane/process.ts'

const cli = join(import.meta.dirname, '../../extender/cli/muster.ts')

type Rig = {
  readonly cluster: EmbeddedCluster
  readonly folder: string
  readonly tools: Tools
  readonly pods: () => readonly Pod[]
  readonly until: (what: string, condition: () => boolean) => Promise<void>
  readonly start: (name: string, command: string, args: readonly string[], ready: string) => Promise<ManagedProcess>
}

async function rig(t: Test, tools: Tools): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-embedded-'))
  const cluster = await startEmbeddedCluster({
    parts: [controllers, kubelet(usualNodes(8), [simulatedRuntime()])]
  })
  const processes: ManagedProcess[] = []
  t.teardown(async () => {
    await Promise.all(processes.map(each => each.kill()))
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })
  await writeFile(join(folder, 'scheduler.kubeconfig'), cluster.kubeconfigFor('system:kube-scheduler'))
  await writeFile(join(folder, 'muster.kubeconfig'), cluster.kubeconfigFor('muster'))
  const pods = () => cluster.client.list('pods').items as unknown as readonly Pod[]
  return {
    ...{ cluster, folder, tools, pods },
    async until(what, condition) {
      for (let tries = 0; tries < 600; tries++) {
        if (condition()) return
        await sleep(50)
      }
      const tails = processes.map(each => `--- ${each.spec.name}\n${each.tail(15)}`).join('\n')
      throw new Error(
        `never came: ${what}\n${JSON.stringify(
          pods().map(pod => [pod.metadata.name, pod.spec, pod.status]),
          null,
          1
        ).slice(0, 4000)}\n${tails}`
      )
    },
    async start(name, command, args, ready) {
      const logFile = join(folder, `${name}.log`)
      const process = new ManagedProcess({ name, command, args, logFile, ready: () => answers(ready) })
      processes.push(process)
      return await process.start()
    }
  }
}

async function startStock({ folder, tools, start }: Rig, config: string): Promise<void> {
  const port = await freePort()
  await start(
    'kube-scheduler',
    tools.path('kube-scheduler'),
    [
      `--config=${config}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(folder, 'certificates')}`,
      `--authentication-kubeconfig=${join(folder, 'scheduler.kubeconfig')}`,
      `--authorization-kubeconfig=${join(folder, 'scheduler.kubeconfig')}`,
      '--authorization-always-allow-paths=/healthz,/livez,/readyz,/metrics'
    ],
    `https://127.0.0.1:${port}/readyz`
  )
}

const tools = await buildTools()
const skip = tools.kind === 'absent' ? `the stock kube-scheduler is not there: ${tools.reason}` : false

t.test('a stock kube-scheduler schedules plain pods over HTTP', { skip }, async t => {
  const it = await rig(t, tools as Tools)
  const config = join(it.folder, 'stock.yaml')
  await writeFile(
    config,
    stringify({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      clientConnection: {
        kubeconfig: join(it.folder, 'scheduler.kubeconfig'),
        contentType: 'application/json',
        qps: 1000,
        burst: 2000
      },
      leaderElection: { leaderElect: true, leaseDuration: '15s', renewDeadline: '10s', retryPeriod: '2s' }
    })
  )
  await startStock(it, config)
  for (let index = 0; index < 20; index++) {
    const pod = podObject(`plain-${index}`, { cpu: '1' }) as KubeObject & { spec: object }
    it.cluster.client.create('pods', { ...pod, spec: { ...pod.spec, schedulerName: 'default-scheduler' } })
  }
  await it.until('20 pods run', () => it.pods().filter(pod => pod.status.phase === 'Running').length === 20)
  const nodes = new Set(it.pods().map(pod => pod.spec.nodeName))
  t.equal(nodes.size, 8, 'they are spread over all nodes')
  const binds = it.cluster.audit.filter(entry => entry.resource === 'pods/binding')
  t.equal(binds.length, 20)
  t.ok(binds.every(({ user, code }) => user === 'system:kube-scheduler' && code === 201))
  const lease = it.cluster.client.get({
    resource: 'leases.coordination.k8s.io',
    namespace: 'kube-system',
    name: 'kube-scheduler'
  })
  t.ok(lease, 'it has won its election')
  await it.until('events', () => it.cluster.client.list('events').items.some(event => event['reason'] === 'Scheduled'))
})

t.test('and a gang of eight through muster, with the configuration as muster prints it', { skip }, async t => {
  const it = await rig(t, tools as Tools)
  const [port, apiPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const listen = ['--listen', `127.0.0.1:${port}`, '--api-listen', `127.0.0.1:${apiPort}`]
  const kubeconfig = join(it.folder, 'muster.kubeconfig')
  await it.start('muster', process.execPath, [cli, 'serve', '--kubeconfig', kubeconfig, ...listen], `${url}/readyz`)
  const config = join(it.folder, 'muster.yaml')
  const schedulers = join(it.folder, 'scheduler.kubeconfig')
  await writeFile(config, await muster('scheduler-config', '--kubeconfig', schedulers, '--extender', url))
  await startStock(it, config)
  for (const pod of gangObjects({ name: 'eight', size: 8, gated: true, cpu: '5' }))
    it.cluster.client.create('pods', pod as KubeObject)
  await it.until('8 members run', () => it.pods().filter(pod => pod.status.phase === 'Running').length === 8)
  t.equal(new Set(it.pods().map(pod => pod.spec.nodeName)).size, 8, 'one to each node')

  for (const pod of gangObjects({ name: 'large', size: 9, gated: true, cpu: '3' }))
    it.cluster.client.create('pods', pod as KubeObject)
  await sleep(3000)
  const large = it.pods().filter(pod => pod.metadata.name.startsWith('large'))
  t.strictSame(large.filter(pod => pod.spec.nodeName !== undefined).length, 0, 'a gang without room gets nothing')
  const by = new Set(it.cluster.audit.filter(({ verb }) => verb !== 'get').map(({ user }) => user))
  t.ok(by.has('muster') && by.has('system:kube-scheduler'), 'who did what is on record')
})
