import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { systemClock } from '../../extender/clock.ts'
import { startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { startScheduler } from '../../extender/embedded/scheduler/scheduler.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { ApiClient } from '../control-plane/client.ts'
import { ExtenderProxy } from '../control-plane/extender-proxy.ts'
import type { Lab } from '../control-plane/lab.ts'
import { muster, type MusterServer } from '../control-plane/muster.ts'
import { type NamedPod, type NodeOptions, nodeObject, type Pod, podObject } from '../control-plane/objects.ts'
import { freePort } from '../control-plane/ports.ts'
import { answers } from '../control-plane/probe.ts'
import { ManagedProcess, removeAtEnd } from '../control-plane/process.ts'
import { LiveStore } from '../control-plane/watch.ts'

/** A cluster with a scheduler that asks muster through a recording proxy; whose scheduler it is, nobody can tell. */
export interface Arena {
  readonly name: string
  readonly client: ApiClient
  readonly pods: LiveStore<Pod>
  readonly verbs: ExtenderProxy
  readonly muster: MusterServer
  close(): Promise<void>
}

const cli = join(import.meta.dirname, '..', '..', 'extender', 'cli', 'muster.ts')
const quiet = { debug() {}, info() {}, warn() {}, error: (fields: object) => console.error(fields) }

/** The real kube-scheduler on a real control plane. */
export function realArena(lab: Lab): Arena {
  const { verbs, pods, muster } = lab
  return { name: 'kube-scheduler', client: lab.cluster.client, pods, verbs, muster, close: () => lab.close() }
}

/** The embedded cluster with its own loop, and muster as a process of its own. */
export async function embeddedArena(): Promise<Arena> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-embedded-'))
  removeAtEnd(dir)
  const kubeconfig = join(dir, 'kubeconfig')
  const cluster = await startEmbeddedCluster({ kubeconfigFile: kubeconfig })
  const server = musterAt(kubeconfig, dir, { port: await freePort(), apiPort: await freePort() })
  const verbs = await new ExtenderProxy(await freePort(), server.url).start()
  await server.process.start()
  const printed = await muster('scheduler-config', '--kubeconfig', kubeconfig, '--extender', verbs.url)
  const scheduler = startScheduler({
    ...{ client: cluster.client, clock: systemClock, random: Math.random, log: quiet, project: new Projector() },
    config: parse(printed) as Readonly<Record<string, unknown>>
  })
  const client = new ApiClient(accessOf(cluster.kubeconfig))
  const pods = await new LiveStore<Pod>(client, '/api/v1/pods').start()
  return {
    ...{ name: 'embedded', client, pods, verbs, muster: server },
    async close() {
      await Promise.all([pods.stop(), server.process.kill(), scheduler.stop(), verbs.stop()])
      await cluster.stop()
      await rm(dir, { recursive: true, force: true })
    }
  }
}

function musterAt(kubeconfig: string, dir: string, { port, apiPort }: { port: number; apiPort: number }): MusterServer {
  const [url, apiUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${apiPort}`]
  const listen = ['--listen', `127.0.0.1:${port}`, '--api-listen', `127.0.0.1:${apiPort}`]
  const process = new ManagedProcess({
    name: 'muster',
    command: globalThis.process.execPath,
    args: [cli, 'serve', '--kubeconfig', kubeconfig, ...listen],
    logFile: join(dir, 'muster.log'),
    ready: () => answers(`${url}/readyz`)
  })
  return { process, url, apiUrl }
}

function accessOf(kubeconfig: string): ConstructorParameters<typeof ApiClient>[0] {
  const { clusters, users } = parse(kubeconfig) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]
    users: { user: { token: string } }[]
  }
  const [{ cluster }, { user }] = [clusters[0]!, users[0]!]
  return {
    url: cluster.server,
    ca: Buffer.from(cluster['certificate-authority-data'], 'base64').toString('utf8'),
    token: user.token
  }
}

const probeTaint = { key: 'muster.test/probe', effect: 'NoSchedule' }

/** Creates nodes `node-0` and on, and waits until the scheduler has bound a pod to one that came after them. */
export async function addNodes(arena: Arena, count: number, options: NodeOptions = {}): Promise<void> {
  const { client, pods } = arena
  for (let index = 0; index < count; index++) await client.create('/api/v1/nodes', nodeObject(`node-${index}`, options))
  const probe = nodeObject('probe', { labels: { probe: '' }, taints: [probeTaint] })
  await client.create('/api/v1/nodes', probe)
  await addPods(arena, 'default', [
    podObject('probe', { nodeSelector: { probe: '' }, tolerations: [{ operator: 'Exists' }] })
  ])
  await pods.waitFor('the nodes are known', () => pods.values().some(pod => pod.spec.nodeName === 'probe'))
  await client.delete('/api/v1/namespaces/default/pods/probe')
  await client.delete('/api/v1/nodes/probe')
  await pods.waitFor('the probe is gone', () => pods.values().length === 0)
  arena.verbs.forget()
}

/** Creates pods in this order, one after the other. */
export async function addPods({ client }: Arena, namespace: string, pods: readonly NamedPod[]): Promise<void> {
  for (const pod of pods) await client.create(`/api/v1/namespaces/${namespace}/pods`, pod)
}

/** Removes all pods and nodes, and begins a new record. */
export async function clear({ client, pods, verbs }: Arena): Promise<void> {
  verbs.intercept = () => undefined
  for (const namespace of new Set(pods.values().map(pod => pod.metadata.namespace)))
    await client.delete(`/api/v1/namespaces/${namespace}/pods`)
  await pods.waitFor('all pods are gone', () => pods.values().length === 0)
  await client.delete('/api/v1/nodes')
  verbs.forget()
}
