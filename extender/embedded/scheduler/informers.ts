import type { Client } from '../store/client.ts'
import { type KubeObject, StatusError } from '../store/objects.ts'
import type { Cache } from './cache.ts'
import { assigned, nodeUpdates, podUpdates } from './events.ts'
import type { SchedulingQueue } from './queue.ts'
import type { NodeView, PodView, Projection } from './views.ts'

/** What a pod that an extender refused also listens to; a cluster need not have them. */
const others = [
  'persistentvolumes',
  'persistentvolumeclaims',
  'csinodes.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'storageclasses.storage.k8s.io',
  'resourceclaims.resource.k8s.io',
  'deviceclasses.resource.k8s.io'
]

export type InformerParts = {
  readonly client: Client
  readonly cache: Cache
  readonly queue: SchedulingQueue
  readonly project: Projection
  readonly isOurs: (schedulerName: string) => boolean
}

/** What the watches show, for the cache and the queue (upstream `eventhandlers.go`). */
export class Informers {
  readonly #parts: InformerParts
  readonly #pods = new Map<string, PodView>()
  readonly #nodes = new Map<string, NodeView>()
  readonly #stops: (() => void)[] = []

  constructor(parts: InformerParts) {
    this.#parts = parts
  }

  /** The pod as the watch shows it; undefined when it is gone or finished. */
  readonly pod = (uid: string): PodView | undefined => this.#pods.get(uid)

  start(): void {
    const { client, queue } = this.#parts
    this.#stops.push(client.watch('nodes', ({ type, object }) => this.#node(object, type === 'DELETED')))
    this.#stops.push(client.watch('pods', ({ type, object }) => this.#pod(object, type === 'DELETED')))
    for (const resource of others) {
      try {
        this.#stops.push(client.watch(resource, () => queue.move({ resource: 'Other' })))
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
      }
    }
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  #node(object: KubeObject, isDeleted: boolean): void {
    const { cache, queue, project } = this.#parts
    const view = { object, node: project.node(object) }
    const before = this.#nodes.get(view.node.name)
    if (isDeleted) {
      this.#nodes.delete(view.node.name)
      queue.move({ resource: 'Node', action: 'Delete', before: view.node, after: undefined })
      cache.removeNode(view.node.name)
      return
    }
    this.#nodes.set(view.node.name, view)
    cache.setNode(view)
    if (!before) queue.move({ resource: 'Node', action: 'Add', before: undefined, after: view.node })
    else for (const event of nodeUpdates(before, view)) queue.move(event)
  }

  /** A finished pod takes no room: it counts as gone. */
  #pod(object: KubeObject, isDeleted: boolean): void {
    const view = { object, pod: this.#parts.project.pod(object) }
    const { uid, phase } = view.pod
    const before = this.#pods.get(uid)
    if (isDeleted || phase === 'Succeeded' || phase === 'Failed') {
      this.#pods.delete(uid)
      if (before) this.#podGone(isDeleted ? { ...view, pod: { ...view.pod, phase: before.pod.phase } } : before)
      return
    }
    this.#pods.set(uid, view)
    if (!before) this.#podNew(view)
    else if (before.pod.nodeName !== undefined) this.#assignedChanged(before, view)
    else if (view.pod.nodeName !== undefined) this.#bound(before, view)
    else if (this.#isOurs(view)) this.#waitingChanged(before, view)
  }

  #isOurs({ pod }: PodView): boolean {
    return this.#parts.isOurs(pod.schedulerName)
  }

  #podNew(view: PodView): void {
    if (view.pod.nodeName !== undefined) this.#assign(view)
    else if (this.#isOurs(view)) this.#parts.queue.add(view)
  }

  #assign(view: PodView): void {
    this.#parts.cache.setPod(view)
    this.#parts.queue.move(assigned('Add', view))
  }

  #bound(before: PodView, view: PodView): void {
    this.#assign(view)
    if (this.#isOurs(before)) this.#parts.queue.delete(before.pod.uid)
  }

  #assignedChanged(before: PodView, view: PodView): void {
    this.#parts.cache.setPod(view)
    for (const event of podUpdates(before.pod, view.pod)) this.#parts.queue.move(event)
  }

  #waitingChanged(before: PodView, view: PodView): void {
    const { cache, queue } = this.#parts
    if (cache.isAssumed(view.pod.uid)) {
      if (view.pod.terminating && !before.pod.terminating) this.#assumedGone(view)
      return
    }
    queue.update(before, view)
    const { nominatedNodeName } = before.pod
    if (nominatedNodeName !== undefined && nominatedNodeName !== view.pod.nominatedNodeName) this.#roomLeft(before)
  }

  #podGone(view: PodView): void {
    const { cache, queue } = this.#parts
    const { uid, nodeName, nominatedNodeName } = view.pod
    if (nodeName !== undefined) {
      cache.removePod(uid)
      queue.move(assigned('Delete', view))
      return
    }
    if (!this.#isOurs(view)) return
    queue.delete(uid)
    if (cache.isAssumed(uid)) this.#assumedGone(view)
    else if (nominatedNodeName !== undefined) this.#roomLeft(view)
  }

  /** The room is free at once; the binding under way will fail by itself. */
  #assumedGone({ pod: { uid } }: PodView): void {
    const { cache, queue } = this.#parts
    const view = cache.assumed(uid)
    if (!view) return
    cache.forget(uid)
    queue.move(assigned('Delete', view))
  }

  /** A nomination has ended: those that had to leave that room may have it. */
  #roomLeft(before: PodView): void {
    this.#parts.queue.move(assigned('Delete', before), ({ pod }) => pod.priority <= before.pod.priority)
  }
}
