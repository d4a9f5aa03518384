import { pid } from 'node:process'
import type { Clock, Random } from '../../clock.ts'
import { EventRecorder } from '../controllers/events.ts'
import { Informer } from '../informer.ts'
import { isFinished, keyOf, type Node, parseKey, type Pod, type PodStatus, referenceTo, uidOf } from '../kinds.ts'
import type { Client } from '../store/client.ts'
import { StatusError } from '../store/objects.ts'
import { WorkQueue } from '../work-queue.ts'
import { Addresses } from './addresses.ts'
import type { LogLine } from './logs.ts'
import { heartbeat, type NodeOptions, registerNode, syncNode } from './nodes.ts'
import type { Host, Log, LogOptions, OpenRuntime, PodRuntime } from './runtime.ts'

export type KubeletOptions = {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  /** The nodes that it plays; pods on others are not its business. */
  readonly nodes: readonly NodeOptions[]
  /** The first that handles a pod has it. */
  readonly runtimes: readonly OpenRuntime[]
  readonly log: Log
}

/** Plays the kubelets of many nodes in one process. */
export interface Kubelet {
  /** Adds a node while it runs. */
  addNode(node: NodeOptions): void
  /** What a container wrote last; undefined where there is no such pod or container. */
  logs(
    pod: { readonly namespace?: string; readonly name: string },
    options?: LogOptions
  ): readonly LogLine[] | undefined
  /** Ends all containers at once. */
  stop(): Promise<void>
}

export function startKubelet(options: KubeletOptions): Kubelet {
  return new Agent(options)
}

class Agent implements Kubelet {
  readonly #options: KubeletOptions
  readonly #queue: WorkQueue
  readonly #addresses = new Addresses(undefined, pid)
  readonly #runtimes: readonly PodRuntime[]
  readonly #nodes = new Set<string>()
  readonly #silent = new Set<string>()
  readonly #pods = new Informer<Pod>('pods', {
    node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName])
  })
  readonly #nodeWatch = new Informer<Node>('nodes')
  readonly #events: EventRecorder

  constructor(options: KubeletOptions) {
    this.#options = options
    const { client, clock, random, log } = options
    this.#events = new EventRecorder(client, clock, 'kubelet')
    this.#queue = new WorkQueue({
      ...{ clock, random },
      work: key => this.#sync(key),
      failed: (key, error, attempt) => log.warn({ key, error: String(error), attempt }, 'the kubelet will try again')
    })
    const host = this.#host()
    this.#runtimes = options.runtimes.map(open => open(host))
    this.#nodeWatch.onChange(({ object }) => object && this.#seeNode(object))
    this.#pods.onChange(({ previous, object }) => this.#seePod(previous, object))
    this.#nodeWatch.start(client)
    for (const node of options.nodes) this.addNode(node)
    this.#pods.start(client)
  }

  addNode(node: NodeOptions): void {
    this.#nodes.add(node.name)
    registerNode(this.#options.client, this.#options.clock, node, this.#nodes.size - 1)
    for (const pod of this.#pods.by('node', node.name)) this.#queue.add(keyOf(pod))
  }

  logs(
    { namespace = 'default', name }: { readonly namespace?: string; readonly name: string },
    options: LogOptions = {}
  ): readonly LogLine[] | undefined {
    const pod = this.#pods.get(`${namespace}/${name}`)
    return pod === undefined ? undefined : this.#runtimeOf(pod)?.logs(pod, options)
  }

  async stop(): Promise<void> {
    this.#queue.stop()
    this.#pods.stop()
    this.#nodeWatch.stop()
    await Promise.all(this.#runtimes.map(runtime => runtime.stop()))
  }

  #seeNode(node: Node): void {
    const { name, annotations } = node.metadata
    if (!this.#nodes.has(name)) return
    const wasSilent = this.#silent.has(name)
    if (annotations?.[heartbeat] === 'stopped') this.#silent.add(name)
    else this.#silent.delete(name)
    this.#queue.add(`node ${name}`)
    if (wasSilent) for (const pod of this.#pods.by('node', name)) this.#queue.add(keyOf(pod))
  }

  #seePod(previous: Pod | undefined, pod: Pod | undefined): void {
    if (!this.#nodes.has((pod ?? previous)?.spec.nodeName ?? '')) return
    if (previous !== undefined && previous.metadata.uid !== pod?.metadata.uid) this.#forget(previous)
    if (pod !== undefined && !isSettled(pod)) this.#queue.add(keyOf(pod))
  }

  #forget(pod: Pod): void {
    this.#addresses.giveBack(uidOf(pod))
    for (const runtime of this.#runtimes) runtime.forget(uidOf(pod))
  }

  #runtimeOf(pod: Pod): PodRuntime | undefined {
    return this.#runtimes.find(runtime => runtime.handles(pod))
  }

  #sync(key: string): void {
    const { client, clock } = this.#options
    if (key.startsWith('node ')) {
      const node = this.#nodeWatch.get(key.slice('node '.length))
      if (node !== undefined) syncNode(client, clock, node)
      return
    }
    const pod = client.get(parseKey('pods', key)) as Pod | undefined
    const { nodeName } = pod?.spec ?? {}
    if (pod === undefined || nodeName === undefined || this.#silent.has(nodeName)) return
    if (this.#nodes.has(nodeName)) this.#runtimeOf(pod)?.sync(pod)
  }

  #host(): Host {
    const { client, clock, random, log } = this.#options
    return {
      ...{ client, clock, random, log },
      again: (pod, ms = 0) => this.#queue.addAfter(keyOf(pod), ms),
      addressesOf: pod => this.#addressesOf(pod),
      tell: (pod, status) => this.#tell(pod, status),
      release: pod => this.#release(pod),
      event: (pod, type, reason, message) => this.#events.record(pod, { type, reason, message })
    }
  }

  #addressesOf(pod: Pod): { readonly podIP: string; readonly hostIP: string } {
    const hostIP = addressOfNode(this.#nodeWatch.get(pod.spec.nodeName ?? ''))
    if (pod.spec.hostNetwork === true) return { podIP: hostIP, hostIP }
    const owner = uidOf(pod)
    if (pod.status?.podIP !== undefined) this.#addresses.keep(owner, pod.status.podIP)
    return { podIP: this.#addresses.of(owner), hostIP }
  }

  #tell(pod: Pod, status: PodStatus): Pod {
    const now = this.#options.client.get(referenceTo('pods', pod)) as Pod | undefined
    if (now === undefined || now.metadata.uid !== pod.metadata.uid) return pod
    return this.#options.client.update('pods', { ...now, status }, 'status') as Pod
  }

  /** A pod that only finalizers hold has been released already. */
  #release(pod: Pod): void {
    if (pod.metadata.deletionGracePeriodSeconds === 0 && (pod.metadata.finalizers?.length ?? 0) > 0) return
    const { uid = '' } = pod.metadata
    try {
      this.#options.client.delete(referenceTo('pods', pod), { gracePeriodSeconds: 0, preconditions: { uid } })
    } catch (error) {
      if (!(error instanceof StatusError) || (error.status !== 404 && error.status !== 409)) throw error
    }
  }
}

function addressOfNode(node: Node | undefined): string {
  const all = (node?.status?.['addresses'] ?? []) as readonly { readonly type: string; readonly address: string }[]
  return all.find(({ type }) => type === 'InternalIP')?.address ?? '127.0.0.1'
}

/** Nothing is left to do for a pod that is done and stays. */
const isSettled = (pod: Pod): boolean => isFinished(pod) && pod.metadata.deletionTimestamp === undefined
