import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Tools } from './build.ts'
import { ApiClient } from './client.ts'
import {
  type Site,
  apiServer,
  component,
  controllerManager,
  etcd,
  kwok,
  scheduler,
  type Component,
  type NativeGangs
} from './components.ts'
import { type Access, type User, createCredentials, servingCertificate, writeKubeconfig } from './credentials.ts'
import { freePort } from './ports.ts'
import { answers } from './probe.ts'
import { type ManagedProcess, removeAtEnd } from './process.ts'
import { auditFiles } from './audit.ts'

/** Set to look into the folder of a cluster that has ended: its logs, its configuration, its kubeconfigs. */
const keepLogs = !!process.env['TEST_KEEP_LOGS']

/** What a cluster consists of, besides etcd and the API server. */
export interface ClusterOptions {
  /** Fake kubelets; default true. Leave it out where thousands of nodes are wanted. */
  readonly kwok?: boolean
  /** Default false: nodes are created ready, pods need no service account. */
  readonly controllerManager?: boolean
  /** The alpha gang scheduling of 1.36, for comparison, also with its alpha preemption; default false. */
  readonly nativeGangs?: NativeGangs
  /** Left running when this process ends; default false. */
  readonly outlives?: boolean
  /** Whether the API server writes down what service accounts ask of it; default false. */
  readonly audit?: boolean
}

/** A control plane of real processes on loopback ports, without a scheduler until one is started. */
export class Cluster {
  readonly site: Site
  readonly client: ApiClient
  readonly apiServer: ManagedProcess
  readonly etcd: ManagedProcess
  readonly url: string
  readonly #ca: string
  readonly #options: ClusterOptions
  readonly #processes: ManagedProcess[]

  private constructor(site: Site, options: ClusterOptions, core: Core, ca: string) {
    this.site = site
    this.#options = options
    this.etcd = core.etcd
    this.apiServer = core.apiServer
    this.url = core.url
    this.#ca = ca
    this.#processes = [core.apiServer, core.etcd]
    this.client = new ApiClient(this.access('admin'))
  }

  /** Starts etcd, the API server and the optional parts, and waits until they are ready. */
  static async start(tools: Tools, options: ClusterOptions = {}): Promise<Cluster> {
    const dir = await mkdtemp(join(tmpdir(), 'muster-control-plane-'))
    if (!options.outlives && !keepLogs) removeAtEnd(dir)
    const site: Site = { dir, tools, credentials: await createCredentials(dir), outlives: options.outlives ?? false }
    const core = await startCore(site, options)
    const { cert } = await servingCertificate(site.credentials)
    const cluster = new Cluster(site, options, core, cert)
    await Promise.all([cluster.#startKwok(), cluster.#startControllerManager()])
    return cluster
  }

  get processes(): readonly ManagedProcess[] {
    return this.#processes
  }

  /** How to reach this API server as `user`, perhaps through something else at `url`. */
  access(user: User, url = this.url): Access {
    return { url, ca: this.#ca, token: this.site.credentials.token(user) }
  }

  /** Writes a kubeconfig for `user` into the cluster's folder and answers its path. */
  async kubeconfig(user: User, url = this.url): Promise<string> {
    const file = join(this.site.dir, `${user.replace('system:', '')}${url === this.url ? '' : '-proxied'}.kubeconfig`)
    return await writeKubeconfig(file, this.access(user, url))
  }

  /** The same for a service account, `namespace/name`, with a token that the API server issues for it. */
  async accountKubeconfig(account: string, url = this.url): Promise<string> {
    const [namespace = '', name = ''] = account.split('/')
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
    const { status } = await this.client.create<{ readonly status: { readonly token: string } }>(path, { spec: {} })
    const file = join(this.site.dir, `${namespace}-${name}.kubeconfig`)
    return await writeKubeconfig(file, { url, ca: this.#ca, token: status.token })
  }

  /** Makes a process of this cluster out of any program; it ends with the cluster. */
  add(part: Component): ManagedProcess {
    return this.adopt(component(this.site, part))
  }

  /** kube-scheduler with this configuration file, not yet started; the gates of native gangs as the API server's, unless told. */
  async scheduler(config: string, gates?: NativeGangs): Promise<ManagedProcess> {
    const kubeconfig = await this.kubeconfig('system:kube-scheduler')
    const nativeGangs = gates ?? this.#options.nativeGangs ?? false
    return this.adopt(scheduler(this.site, { config, kubeconfig, port: await freePort(), nativeGangs }))
  }

  /** Ends every process and removes the folder. */
  async stop(): Promise<void> {
    await this.client.close()
    // Nothing in here is worth a graceful end; killing takes milliseconds.
    await Promise.all(this.#processes.map(each => each.kill()))
    if (!keepLogs) await rm(this.site.dir, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The ends of the logs of all processes, for a failure's text. */
  logs(lines = 15): string {
    return this.#processes.map(each => `--- ${each.spec.name} ---\n${each.tail(lines)}`).join('\n')
  }

  adopt(child: ManagedProcess): ManagedProcess {
    this.#processes.unshift(child)
    return child
  }

  async #startKwok(): Promise<void> {
    if (!(this.#options.kwok ?? true)) return
    const leases = this.#options.controllerManager ?? false
    await this.adopt(
      kwok(this.site, { kubeconfig: await this.kubeconfig('kwok'), leases, port: await freePort() })
    ).start()
  }

  async #startControllerManager(): Promise<void> {
    if (!this.#options.controllerManager) return
    const kubeconfig = await this.kubeconfig('system:kube-controller-manager')
    await this.adopt(controllerManager(this.site, { kubeconfig, port: await freePort() })).start()
  }
}

interface Core {
  readonly etcd: ManagedProcess
  readonly apiServer: ManagedProcess
  readonly url: string
}

async function startCore(site: Site, options: ClusterOptions): Promise<Core> {
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()]
  const url = `https://127.0.0.1:${port}`
  const database = etcd(site, { client, peer })
  const api = apiServer(site, {
    port,
    etcdPort: client,
    nativeGangs: options.nativeGangs ?? false,
    audit: options.audit ? await auditFiles(site.dir) : undefined,
    ready: () => answers(`${url}/readyz`)
  })
  try {
    await database.start()
    await api.start()
  } catch (error) {
    await Promise.all([api.kill(), database.kill()])
    throw error
  }
  return { etcd: database, apiServer: api, url }
}
