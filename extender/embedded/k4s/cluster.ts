import { cwd } from 'node:process'
import { type Clock, type Random, systemClock } from '../../clock.ts'
import { openApi } from '../api/api.ts'
import type { EmbeddedApi } from '../api/types.ts'
import type { Timing } from '../controllers/controller.ts'
import { startControllers } from '../controllers/start.ts'
import { controllerOf, isFinished, isReady, type Pod, referenceTo, type Workload } from '../kinds.ts'
import type { LogLine } from '../kubelet/logs.ts'
import type { NodeOptions } from '../kubelet/nodes.ts'
import type { Backoff, LogOptions } from '../kubelet/runtime.ts'
import { simulatedRuntime } from '../kubelet/simulated.ts'
import { type Kubelet, startKubelet } from '../kubelet/start.ts'
import { workerRuntime } from '../kubelet/worker-runtime.ts'
import { isWorkerPod } from '../kubelet/worker-spec.ts'
import { type KubeObject, type Reference, StatusError } from '../store/objects.ts'
import { type Applied, applyManifest } from './apply.ts'
import { firstFit, type Placement } from './placement.ts'
import { Router } from './router.ts'
import { untilTrue } from './until.ts'

interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type KubernetesClusterOptions = {
  /** How many nodes, or which. Default 1. */
  readonly nodes?: number | readonly NodeOptions[]
  /** Where an extender answers, for a placement that asks one. */
  readonly extender?: string
  /** Default: the first node with room. */
  readonly placement?: Placement
  /** The API that everything works on; by default a new one, which nobody else sees. */
  readonly client?: EmbeddedApi
  /** The folder that modules of containers are in. Default: the current one. */
  readonly root?: string
  /** Pauses before a container that failed is started again. Default 10 s · 2^n, at most 5 minutes. */
  readonly backoff?: Backoff
  /** How many containers run at once. Default 64. */
  readonly workers?: number
  readonly timing?: Partial<Timing>
  readonly clock?: Clock
  readonly random?: Random
  readonly log?: Log
}

const silence: Log = { debug() {}, info() {}, warn() {}, error() {} }

const nothing = { apiVersion: 'v1', kind: 'Pod', metadata: { name: '' } }

type Running = {
  readonly client: EmbeddedApi
  readonly router: Router
  readonly kubelet: Kubelet
  readonly controllers: { stop(): void }
  readonly placement: { stop(): void | Promise<void> }
}

/** A mini Kubernetes in this process whose containers are worker threads. */
export class KubernetesCluster {
  readonly #options: KubernetesClusterOptions
  readonly #clock: Clock
  #running: Running | undefined
  #stopping: Promise<void> | undefined
  #alive: NodeJS.Timeout | undefined

  constructor(options: KubernetesClusterOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Starts the API, controllers, kubelet and placement. */
  async start(): Promise<this> {
    if (this.#running !== undefined) throw new Error('the cluster runs already')
    const { random = Math.random, log = silence, timing, extender, placement = firstFit } = this.#options
    if (extender !== undefined && placement === firstFit)
      throw new Error('an extender needs a placement that asks it, as the KubernetesCluster of embed.ts has')
    const clock = this.#clock
    const client = this.#options.client ?? openApi({ clock, random })
    const ground = { client, clock, random, log }
    // The clock's timers let the process end; a cluster that runs does not.
    this.#alive = setInterval(() => {}, 2 ** 30)
    const router = new Router(ground)
    this.#running = {
      ...{ client, router },
      controllers: startControllers({ ...ground, ...(timing !== undefined && { timing }) }),
      kubelet: this.#startKubelet(ground, router),
      placement: placement({ ...ground, ...(extender !== undefined && { extender }) })
    }
    return this
  }

  #startKubelet(ground: Parameters<typeof startControllers>[0], post: Router): Kubelet {
    const { nodes = 1, root = cwd(), backoff, workers } = this.#options
    const worker = workerRuntime({
      ...{ root, post },
      ...(backoff !== undefined && { backoff }),
      ...(workers !== undefined && { limit: workers })
    })
    const names =
      typeof nodes === 'number' ? Array.from({ length: nodes }, (_, index) => ({ name: `node-${index}` })) : nodes
    return startKubelet({
      ...ground,
      nodes: names,
      runtimes: [worker, simulatedRuntime(backoff === undefined ? {} : { backoff })]
    })
  }

  /** The API that everything works on. */
  get client(): EmbeddedApi {
    return this.#parts.client
  }

  /** Messages to containers, by name or through a Service. Sending never waits; a request is a promise. */
  get api(): Pick<Router, 'send' | 'request' | 'sendToService' | 'requestService'> {
    return this.#parts.router
  }

  get #parts(): Running {
    if (this.#running === undefined) throw new Error('the cluster does not run: start() comes first')
    return this.#running
  }

  /** Creates or updates what the documents describe; `file` is named in errors, and modules may be relative to it. */
  applyYaml(text: string, options: { readonly file?: string } = {}): Promise<readonly Applied[]> {
    const { client } = this.#parts
    return applyManifest({ client, gone: reference => this.#gone(reference) }, text, options.file)
  }

  /** An object by its kind (Container is another word for Pod); undefined where there is none. */
  get(kind: string, name: string, namespace = 'default'): KubeObject | undefined {
    return this.#parts.client.get(this.#reference(kind, name, namespace))
  }

  list(kind: string, namespace?: string): readonly KubeObject[] {
    const { resource } = this.#reference(kind, '', '')
    return this.#parts.client.list(resource, namespace === undefined ? {} : { namespace }).items
  }

  /** Asks for so many replicas; the controllers see to it. */
  async scale(name: string, replicas: number, { kind = 'ReplicaSet', namespace = 'default' } = {}): Promise<void> {
    if (!Number.isInteger(replicas) || replicas < 0) throw new Error(`${replicas} is no number of replicas`)
    const reference = this.#reference(kind, name, namespace)
    this.#parts.client.patch(reference, { spec: { replicas } }, { type: 'merge' })
  }

  /** Deletes an object, and resolves when it is gone. */
  async delete(kind: string, name: string, namespace = 'default'): Promise<void> {
    const reference = this.#reference(kind, name, namespace)
    this.#parts.client.delete(reference, { propagationPolicy: 'Background' })
    await this.#gone(reference)
  }

  /** What a container wrote last. */
  logs(
    name: string,
    { namespace = 'default', ...options }: LogOptions & { readonly namespace?: string } = {}
  ): readonly LogLine[] | undefined {
    return this.#parts.kubelet.logs({ namespace, name }, options)
  }

  /** Resolves when a condition on what the API holds is true; looks at each change. */
  until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
    return untilTrue({ client: this.#parts.client, clock: this.#clock }, condition, timeoutMs)
  }

  /** Resolves when as many containers are ready as the ReplicaSet, or the name of one container, asks for. */
  ready(name: string, timeoutMs?: number): Promise<void> {
    return this.until(() => this.#isReady(name), timeoutMs)
  }

  #isReady(name: string): boolean {
    const set = this.get('ReplicaSet', name) as Workload | undefined
    if (set === undefined) return isReady((this.get('Pod', name) ?? nothing) as Pod)
    const { replicas: wanted = 1 } = set.spec
    const mine = this.list('Pod', set.metadata.namespace).filter(pod => controllerOf(pod)?.uid === set.metadata.uid)
    const { replicas = 0, readyReplicas = 0 } = set.status ?? {}
    return mine.length === wanted && replicas === wanted && readyReplicas === wanted
  }

  /** Stops the controllers, then all containers: the sentinel, `graceMs`, then the end of their threads. */
  stop(graceMs = 2000): Promise<void> {
    this.#stopping ??= this.#stop(graceMs).finally(() => (this.#stopping = undefined))
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<void> {
    if (this.#running === undefined) return
    const { client, controllers, placement, kubelet, router } = this.#running
    controllers.stop()
    await placement.stop()
    const pods = (client.list('pods').items as readonly Pod[]).filter(pod => isWorkerPod(pod) && !isFinished(pod))
    const gracePeriodSeconds = Math.ceil(graceMs / 1000)
    const references = pods.map(pod => referenceTo('pods', pod))
    for (const reference of references) client.delete(reference, { gracePeriodSeconds })
    await Promise.race([Promise.all(references.map(reference => this.#gone(reference))), this.#sleep(graceMs)])
    await kubelet.stop()
    router.stop()
    clearInterval(this.#alive)
    this.#running = undefined
  }

  #sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }

  #gone(reference: Reference): Promise<void> {
    const { client } = this.#parts
    const { uid } = client.get(reference)?.metadata ?? {}
    if (uid === undefined) return Promise.resolve()
    return new Promise(resolve => {
      const stop = client.watch(
        reference.resource,
        ({ type, object }) => {
          if (type !== 'DELETED' || object.metadata.uid !== uid) return
          queueMicrotask(() => stop())
          resolve()
        },
        { fieldSelector: `metadata.name=${reference.name}` }
      )
    })
  }

  #reference(kind: string, name: string, namespace: string): Reference {
    const wanted = kind === 'Container' ? 'Pod' : kind
    const found = [...this.#parts.client.resources].find(each => each.kind === wanted && each.stored === each.id)
    if (found === undefined) throw new StatusError(404, 'NotFound', `there is no kind ${kind}`)
    return found.namespaced ? { resource: found.id, namespace, name } : { resource: found.id, name }
  }
}
