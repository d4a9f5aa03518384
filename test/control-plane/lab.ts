import { setTimeout as sleep } from 'node:timers/promises'
import { ApiProxy } from './api-proxy.ts'
import type { Tools } from './build.ts'
import { ApiError, forEach } from './client.ts'
import { Cluster, type ClusterOptions } from './cluster.ts'
import { servingCertificate, type User } from './credentials.ts'
import { ExtenderProxy } from './extender-proxy.ts'
import { History } from './history.ts'
import { type MusterServer, metric, musterConfig, musterServer, stockConfig } from './muster.ts'
import {
  gangObjects,
  type GangOptions,
  type NamedPod,
  type Node,
  type NodeOptions,
  nodeObject,
  type Pod,
  podObject
} from './objects.ts'
import { freePort } from './ports.ts'
import type { ManagedProcess } from './process.ts'
import { summary } from './summary.ts'
import { LiveStore } from './watch.ts'

/** How a laboratory differs from the usual one. */
export interface LabOptions extends ClusterOptions {
  /** Further arguments of `muster serve`. */
  readonly musterArgs?: readonly string[]
  /** Further arguments of both `muster serve` and `muster scheduler-config`. */
  readonly sharedArgs?: readonly string[]
  /** Added to the environment of `muster serve`. */
  readonly musterEnv?: Readonly<Record<string, string>>
  /** As whom muster talks to the API server; default one with all rights. */
  readonly musterUser?: User
  /** A service account, as `namespace/name`, as whom it talks instead, from what `prepare` has made of it. */
  readonly musterAccount?: string
  /** Done before muster's credentials are made. */
  readonly prepare?: (cluster: Cluster) => Promise<unknown>
  /** False: kube-scheduler asks nobody, and muster is not started. Default true. */
  readonly muster?: boolean
}

const probeTaint = { key: 'muster.test/probe', effect: 'NoSchedule' }

/**
 * A cluster with muster and kube-scheduler in it, proxies on both of muster's sides, and a record of what happens.
 *
 * One per test file; cases are kept apart by namespaces and by clearing pods and nodes between them.
 */
export class Lab {
  readonly cluster: Cluster
  readonly muster: MusterServer
  readonly scheduler: ManagedProcess
  readonly pods: LiveStore<Pod>
  readonly nodes: LiveStore<Node>
  /** Between muster and the API server. */
  readonly api: ApiProxy
  /** Between kube-scheduler and muster. */
  readonly verbs: ExtenderProxy
  /** What the watch has shown since the last `clear`. */
  history = new History()
  readonly #withMuster: boolean

  private constructor(parts: Parts, withMuster: boolean) {
    this.cluster = parts.cluster
    this.muster = parts.muster
    this.scheduler = parts.scheduler
    this.api = parts.api
    this.verbs = parts.verbs
    this.#withMuster = withMuster
    this.pods = new LiveStore<Pod>(parts.cluster.client, '/api/v1/pods')
    this.nodes = new LiveStore<Node>(parts.cluster.client, '/api/v1/nodes')
    this.pods.onChange(change => this.history.record(change))
  }

  /** Starts the cluster and the proxies; muster and kube-scheduler wait for `start`. */
  static async open(tools: Tools, options: LabOptions = {}): Promise<Lab> {
    const cluster = await Cluster.start(tools, options)
    try {
      const lab = new Lab(await assemble(cluster, options), options.muster ?? true)
      await Promise.all([lab.api.start(), lab.verbs.start(), lab.pods.start(), lab.nodes.start()])
      return lab
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** Starts muster and then kube-scheduler. */
  async start(): Promise<void> {
    if (this.#withMuster && !this.muster.process.running) await this.muster.process.start()
    if (!this.scheduler.running) await this.scheduler.start()
  }

  /** Stops kube-scheduler and muster; the cluster stays. */
  async halt(): Promise<void> {
    await this.scheduler.kill()
    await this.muster.process.kill()
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await Promise.all([this.pods.stop(), this.nodes.stop()])
    await Promise.all([this.api.stop(), this.verbs.stop()])
    await this.cluster.stop()
  }

  /** Creates nodes `prefix-0` and on and waits until the schedulers, if they run, know them. */
  async createNodes(prefix: string, count: number, options: NodeOptions = {}): Promise<readonly string[]> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
    await forEach(names, 16, name => this.cluster.client.create('/api/v1/nodes', nodeObject(name, options)))
    if (this.scheduler.running) await this.#probe(prefix)
    return names
  }

  async createNamespace(name: string): Promise<string> {
    await this.cluster.client.create('/api/v1/namespaces', { metadata: { name } })
    return name
  }

  /** Creates pods in this order, `limit` at a time. */
  async createPods(namespace: string, pods: readonly NamedPod[], limit = 16): Promise<void> {
    await forEach(pods, limit, pod => this.cluster.client.create(`/api/v1/namespaces/${namespace}/pods`, pod))
  }

  async createGang(namespace: string, gang: GangOptions): Promise<void> {
    await this.createPods(namespace, gangObjects(gang))
  }

  async deletePod(namespace: string, name: string): Promise<void> {
    await this.cluster.client.delete(`/api/v1/namespaces/${namespace}/pods/${name}`)
  }

  /** The pods of a namespace, or those of one gang in it. */
  podsIn(namespace: string, gang?: string): readonly Pod[] {
    return this.pods
      .values()
      .filter(pod => pod.metadata.namespace === namespace)
      .filter(pod => gang === undefined || pod.metadata.annotations?.['muster.dev/gang'] === gang)
  }

  /** Waits for something that the watch on the pods shows; the failure tells the state of all pods and the logs' ends. */
  async waitFor(what: string, condition: () => boolean, timeout = 30_000): Promise<void> {
    await this.pods.waitFor(what, condition, { timeout, describe: () => this.describe() })
  }

  /** Waits for something that must be asked for, ten times a second. */
  async until(what: string, condition: () => Promise<boolean>, timeout = 30_000): Promise<void> {
    const deadline = performance.now() + timeout
    while (!(await condition().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`not within ${timeout / 1000} s: ${what}\n${this.describe()}`)
      await sleep(100)
    }
  }

  /** Deletes all pods and nodes, waits until muster has dropped what it held for them, and begins a new record. */
  async clear(): Promise<void> {
    const namespaces = new Set(this.pods.values().map(pod => pod.metadata.namespace))
    for (const namespace of namespaces) await this.cluster.client.delete(`/api/v1/namespaces/${namespace}/pods`)
    await this.waitFor('all pods are deleted', () => this.pods.values().length === 0)
    await this.cluster.client.delete('/api/v1/nodes')
    await this.nodes.waitFor('all nodes are deleted', () => this.nodes.values().length === 0)
    if (this.muster.process.running) await this.until('no holds are left', async () => (await this.holds()) === 0)
    this.forget()
  }

  /** Begins new records. */
  forget(): void {
    this.history = new History()
    this.api.forget()
    this.verbs.forget()
  }

  /** How many holds muster's ledger has. */
  async holds(): Promise<number> {
    return await metric(this.muster, 'muster_holds')
  }

  /** The state of all pods by gang, and the ends of the logs. */
  describe(): string {
    return `${summary(this.pods.values())}\n${this.cluster.logs()}`
  }

  /**
   * Waits until kube-scheduler has the nodes that were created before this, by having it use one made after them.
   *
   * A pod that only the probe's node takes is bound only when all earlier node events were heard.
   */
  async #probe(prefix: string): Promise<void> {
    const { client } = this.cluster
    const name = `${prefix}-probe`
    await client.create('/api/v1/nodes', nodeObject(name, { labels: { [name]: '' }, taints: [probeTaint] }))
    const pod = podObject(name, { nodeSelector: { [name]: '' }, tolerations: [{ operator: 'Exists' }] })
    await this.createPods('default', [pod])
    await this.waitFor('the nodes are known', () => this.podsIn('default').some(each => each.spec.nodeName === name))
    await this.deletePod('default', name)
    await client.delete(`/api/v1/nodes/${name}`).catch(ignoreMissing)
    await this.waitFor('the probe is gone', () => this.podsIn('default').length === 0)
    this.forget()
  }
}

interface Parts extends Pick<Lab, 'cluster' | 'muster' | 'scheduler' | 'api' | 'verbs'> {}

async function assemble(cluster: Cluster, options: LabOptions): Promise<Parts> {
  const certificate = await servingCertificate(cluster.site.credentials)
  const api = new ApiProxy({ port: await freePort(), target: cluster.url, ...certificate })
  await options.prepare?.(cluster)
  const account = options.musterAccount
  const kubeconfig = await (account === undefined
    ? cluster.kubeconfig(options.musterUser ?? 'muster', api.url)
    : cluster.accountKubeconfig(account, api.url))
  const [port, apiPort] = [await freePort(), await freePort()]
  const { sharedArgs = [], musterArgs = [], musterEnv: env = {} } = options
  const muster = musterServer(cluster, { port, apiPort, kubeconfig, args: [...sharedArgs, ...musterArgs], env })
  const verbs = new ExtenderProxy(await freePort(), muster.url)
  const asks = options.muster ?? true
  const config = asks ? await musterConfig(cluster, verbs.url, sharedArgs) : await stockConfig(cluster)
  return { cluster, muster, scheduler: await cluster.scheduler(config), api, verbs }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ApiError && error.status === 404)) throw error
}
