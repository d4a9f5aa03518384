import { nodeInfo } from '../../../policies/snapshot.ts'
import type { NodeEntry, NodeView, PodView } from './views.ts'

type Place = { readonly node: string; readonly view: PodView; readonly assumed: boolean }

/** A node that is gone, or not there yet, while pods still name it has no view. */
type Slot = { view: NodeView | undefined; readonly pods: Map<string, PodView>; entry: NodeEntry | undefined }

/** What stands on the nodes: pods that the API shows bound, and those assumed to be so soon. */
export class Cache {
  readonly #slots = new Map<string, Slot>()
  readonly #places = new Map<string, Place>()

  setNode(view: NodeView): void {
    const slot = this.#slot(view.node.name)
    slot.view = view
    slot.entry = undefined
  }

  removeNode(name: string): void {
    const slot = this.#slots.get(name)
    if (!slot) return
    slot.view = undefined
    slot.entry = undefined
    if (slot.pods.size === 0) this.#slots.delete(name)
  }

  /** A pod is seen bound; what was assumed about it is settled with that. */
  setPod(view: PodView): void {
    const { uid, nodeName = '' } = view.pod
    this.#put(uid, { node: nodeName, view, assumed: false })
  }

  removePod(uid: string): void {
    const place = this.#places.get(uid)
    if (!place) return
    this.#places.delete(uid)
    const slot = this.#slot(place.node)
    slot.pods.delete(uid)
    slot.entry = undefined
    if (!slot.view && slot.pods.size === 0) this.#slots.delete(place.node)
  }

  isAssumed(uid: string): boolean {
    return this.#places.get(uid)?.assumed ?? false
  }

  /** The pod as it is assumed to stand. */
  assumed(uid: string): PodView | undefined {
    const place = this.#places.get(uid)
    return place?.assumed ? place.view : undefined
  }

  /** Believes that a pod will be bound there; false where the cache already knows it. */
  assume(view: PodView, node: string): boolean {
    if (this.#places.has(view.pod.uid)) return false
    const bound = { ...view, pod: { ...view.pod, nodeName: node } }
    this.#put(view.pod.uid, { node, view: bound, assumed: true })
    return true
  }

  /** Takes that back; false where there is nothing assumed any more. */
  forget(uid: string): boolean {
    if (!this.isAssumed(uid)) return false
    this.removePod(uid)
    return true
  }

  /** The nodes in the order of their coming; later changes do not show in it. */
  snapshot(): readonly NodeEntry[] {
    const entries: NodeEntry[] = []
    for (const slot of this.#slots.values()) {
      if (!slot.view) continue
      slot.entry ??= entryOf(slot.view, [...slot.pods.values()])
      entries.push(slot.entry)
    }
    return entries
  }

  #put(uid: string, place: Place): void {
    const known = this.#places.get(uid)
    if (known && known.node !== place.node) this.removePod(uid)
    this.#places.set(uid, place)
    const slot = this.#slot(place.node)
    slot.pods.set(uid, place.view)
    slot.entry = undefined
  }

  #slot(name: string): Slot {
    const known = this.#slots.get(name)
    if (known) return known
    const slot: Slot = { view: undefined, pods: new Map(), entry: undefined }
    this.#slots.set(name, slot)
    return slot
  }
}

/** That node with exactly those pods on it. */
export function entryOf({ object, node }: NodeView, pods: readonly PodView[]): NodeEntry {
  const info = nodeInfo(
    node,
    pods.map(view => view.pod)
  )
  return { object, node, info, pods }
}
