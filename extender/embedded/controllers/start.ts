import type { Clock, Random } from '../../clock.ts'
import { builtIn } from '../api/built-in.ts'
import { Informer } from '../informer.ts'
import { controllerOf, type Node, type Pod, type Workload } from '../kinds.ts'
import type { Client } from '../store/client.ts'
import type { KubeObject } from '../store/objects.ts'
import { WorkQueue } from '../work-queue.ts'
import type { Controller, Log, Looks, OpenController, Shared, Timing } from './controller.ts'
import { openDaemonSets } from './daemon-set.ts'
import { openDeployments } from './deployment.ts'
import { openDisruptionBudgets } from './disruption-budget.ts'
import { EventRecorder } from './events.ts'
import { openGarbageCollector } from './garbage-collector.ts'
import { openJobs } from './job.ts'
import { openNamespaces } from './namespace.ts'
import { openNodeLifecycle } from './node-lifecycle.ts'
import { podIndexes } from './pods.ts'
import { selectorIndex } from './routes.ts'
import { openReplicaSets } from './replica-set.ts'
import { openServices } from './service.ts'
import { openStatefulSets } from './stateful-set.ts'

export type ControllerOptions = {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly timing?: Partial<Timing>
}

/** Upstream's times, but for the resync. */
const usual: Timing = { resyncMs: 1000, nodeGraceMs: 40_000, orphanGraceMs: 40_000, jobBackoffMs: 10_000 }

const controllers: readonly OpenController[] = [
  openReplicaSets,
  openDeployments,
  openJobs,
  openDaemonSets,
  openStatefulSets,
  openServices,
  openDisruptionBudgets,
  openNodeLifecycle,
  openGarbageCollector,
  (shared, looks) => openNamespaces(shared, looks, () => namespacedResources(shared.client))
]

/** Starts all controllers over one set of informers and one queue; they act on changes, and look again each second. */
export function startControllers(options: ControllerOptions): { stop(): void } {
  const { client, clock, random, log } = options
  const timing = { ...usual, ...options.timing }
  const informers = new Informers()
  const opened = new Map<string, Controller>()
  const queue = new WorkQueue({
    clock,
    random,
    work: key => {
      const [name = '', ...rest] = key.split('\n')
      opened.get(name)?.reconcile(rest.join('\n'))
    },
    failed: (key, error, attempt) =>
      log[attempt < 3 ? 'debug' : 'warn']({ key, error: String(error), attempt }, 'a controller will try again')
  })
  const shared: Shared = {
    ...{ client, clock, random, timing },
    events: new EventRecorder(client, clock, 'muster-controllers'),
    pods: informers.pods,
    nodes: informers.nodes,
    informer: informers.of
  }
  for (const [index, open] of controllers.entries())
    opened.set(String(index), open(shared, looksOf(queue, String(index))))
  informers.start(client)
  const stopResync = resync(clock, timing.resyncMs, queue, opened)
  return {
    stop() {
      stopResync()
      queue.stop()
      for (const controller of opened.values()) controller.stop?.()
      informers.stop()
    }
  }
}

const looksOf = (queue: WorkQueue, name: string): Looks => ({
  add: key => queue.add(`${name}\n${key}`),
  addAfter: (key, ms) => queue.addAfter(`${name}\n${key}`, ms)
})

/** Whatever a watch may have missed is found within a second: desired, actual, difference, act, sleep. */
function resync(clock: Clock, ms: number, queue: WorkQueue, controllers: ReadonlyMap<string, Controller>): () => void {
  let cancel: (() => void) | undefined
  const pass = (): void => {
    for (const [name, controller] of controllers) for (const key of controller.keys()) queue.add(`${name}\n${key}`)
    cancel = clock.after(ms, pass)
  }
  cancel = clock.after(ms, pass)
  return () => cancel?.()
}

class Informers {
  readonly pods = new Informer<Pod>('pods', podIndexes)
  readonly nodes = new Informer<Node>('nodes')
  readonly #others = new Map<string, Informer>()

  readonly of = <T extends KubeObject = Workload>(resource: string): Informer<T> => {
    const known = this.#others.get(resource)
    if (known !== undefined) return known as unknown as Informer<T>
    const informer = new Informer(resource, {
      ...{ owner: ownerIndex, namespace: namespaceIndex, selector: selectorIndex }
    })
    this.#others.set(resource, informer)
    return informer as unknown as Informer<T>
  }

  /** Those that others are matched against first: nodes, then workloads, then pods. */
  start(client: Client): void {
    for (const informer of [this.nodes, ...this.#others.values(), this.pods]) informer.start(client)
  }

  stop(): void {
    for (const informer of [this.nodes, ...this.#others.values(), this.pods]) informer.stop()
  }
}

const ownerIndex = (object: KubeObject): readonly string[] => {
  const owner = controllerOf(object)
  return owner === undefined ? [] : [owner.uid]
}
const namespaceIndex = ({ metadata }: KubeObject): readonly string[] => [metadata.namespace ?? 'default']

function namespacedResources(client: Client): readonly string[] {
  const custom = client
    .list('customresourcedefinitions.apiextensions.k8s.io')
    .items.flatMap(({ metadata, ...rest }) => {
      const { scope } = rest['spec'] as { readonly scope?: string }
      return scope === 'Namespaced' ? [metadata.name] : []
    })
  return [...builtIn.filter(({ namespaced, stored, id }) => namespaced && stored === id).map(({ id }) => id), ...custom]
}
