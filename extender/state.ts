import { nodeInfo, Snapshot, type NodeInfo } from '../policies/snapshot.ts'
import type { Node, Pod } from '../policies/types.ts'
import { type FactListener, Facts } from './facts.ts'

/** What changed about a pod: `before` is absent for a new pod, `after` for one that is gone. */
export type PodChange = { readonly before: Pod | undefined; readonly after: Pod | undefined }

/** Told synchronously, in the order of the changes; must not throw and must not change the state. */
export interface StateListener extends FactListener {
  podChanged(change: PodChange): void
  /** The node is new, gone, or differs in something that decides where pods fit. */
  nodeChanged(name: string): void
}

const isDone = (pod: Pod): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed'

/**
 * What the reflectors saw, under what we wrote and have not seen back (bindings). The one mutable picture of the
 * cluster: whoever decides takes a `Snapshot` of it.
 */
export class State {
  /** What other objects say about pods. */
  readonly facts = new Facts()
  readonly #pods = new Map<string, Pod>()
  readonly #nodes = new Map<string, Node>()
  /** Pod uid → node of a binding that we sent and the watch has not shown. */
  readonly #assumed = new Map<string, string>()
  readonly #byNode = new Map<string, Map<string, Pod>>()
  readonly #infos = new Map<string, NodeInfo>()
  /** Pods without a node that kube-scheduler, or we, nominated one for. */
  readonly #nominated = new Map<string, Pod>()
  readonly #listeners: StateListener[] = []
  #snapshot: Snapshot | undefined
  /** Grows with every change of pods or nodes; equal versions mean equal pictures. */
  version = 0

  subscribe(listener: StateListener): void {
    this.#listeners.push(listener)
    this.facts.subscribe(listener)
  }

  pod(uid: string): Pod | undefined {
    return this.#pods.get(uid)
  }

  pods(): Iterable<Pod> {
    return this.#pods.values()
  }

  /** The node that the pod stands on, or is to stand on by a binding of ours. */
  nodeOf(pod: Pod): string | undefined {
    return pod.nodeName ?? this.#assumed.get(pod.uid)
  }

  /** Pods without a node that are nominated for one. */
  nominated(): Iterable<Pod> {
    return this.#nominated.values()
  }

  /** One node as `snapshot` has it, without the cost of all the others. */
  node(name: string): NodeInfo | undefined {
    const node = this.#nodes.get(name)
    return node && this.#info(node)
  }

  /** Whether a binding of ours to that node is on its way, or not seen back yet. */
  hasAssumed(node: string): boolean {
    return this.#assumed.values().some(other => other === node)
  }

  /** Nodes and the pods that take room on them, bindings under way included; the same object until something changes. */
  snapshot(): Snapshot {
    this.#snapshot ??= new Snapshot([...this.#nodes.values()].map(node => this.#info(node)))
    return this.#snapshot
  }

  /** The whole set after a list: what is not in it is gone. */
  replacePods(pods: readonly Pod[]): void {
    const listed = new Set(pods.map(pod => pod.uid))
    for (const pod of [...this.#pods.values()]) if (!listed.has(pod.uid)) this.removePod(pod.uid)
    for (const pod of pods) this.setPod(pod)
  }

  setPod(pod: Pod): void {
    const before = this.#pods.get(pod.uid)
    // A relist hands out the very objects that are known already.
    if (before === pod) return
    this.#leave(before)
    if (pod.nodeName !== undefined || isDone(pod)) this.#assumed.delete(pod.uid)
    this.#pods.set(pod.uid, pod)
    this.#enter(pod)
    this.#tellPod({ before, after: pod })
  }

  removePod(uid: string): void {
    const before = this.#pods.get(uid)
    if (!before) return
    this.#leave(before)
    this.#pods.delete(uid)
    this.#assumed.delete(uid)
    this.#tellPod({ before, after: undefined })
  }

  replaceNodes(nodes: readonly Node[]): void {
    const listed = new Set(nodes.map(node => node.name))
    for (const name of [...this.#nodes.keys()]) if (!listed.has(name)) this.removeNode(name)
    for (const node of nodes) this.setNode(node)
  }

  setNode(node: Node): void {
    const before = this.#nodes.get(node.name)
    this.#nodes.set(node.name, node)
    // Heartbeats change nothing that decides where pods fit; they must not make anybody plan again.
    if (before && sameNode(before, node)) return
    this.#forget(node.name)
    for (const listener of this.#listeners) listener.nodeChanged(node.name)
  }

  removeNode(name: string): void {
    if (!this.#nodes.delete(name)) return
    this.#forget(name)
    for (const listener of this.#listeners) listener.nodeChanged(name)
  }

  /** A binding of ours is on its way or accepted: the room is taken from now on. */
  assume(pod: Pod, node: string): void {
    const known = this.#pods.get(pod.uid)
    if (!known || known.nodeName !== undefined) return
    this.#leave(known)
    this.#assumed.set(pod.uid, node)
    this.#enter(known)
    this.#tellPod({ before: known, after: known })
  }

  /** That binding did not happen. */
  forget(uid: string): void {
    const pod = this.#pods.get(uid)
    if (!this.#assumed.has(uid)) return
    this.#leave(pod)
    this.#assumed.delete(uid)
    if (!pod) return
    this.#enter(pod)
    this.#tellPod({ before: pod, after: pod })
  }

  #tellPod(change: PodChange): void {
    this.version += 1
    for (const listener of this.#listeners) listener.podChanged(change)
  }

  #enter(pod: Pod): void {
    const node = this.nodeOf(pod)
    const isNominated = node === undefined && pod.nominatedNodeName !== undefined && !isDone(pod)
    if (isNominated) this.#nominated.set(pod.uid, pod)
    if (node === undefined || isDone(pod)) return
    const there = this.#byNode.get(node) ?? new Map<string, Pod>()
    there.set(pod.uid, pod)
    this.#byNode.set(node, there)
    this.#forget(node)
  }

  #leave(pod: Pod | undefined): void {
    if (pod === undefined) return
    this.#nominated.delete(pod.uid)
    const node = this.nodeOf(pod)
    if (node === undefined) return
    const there = this.#byNode.get(node)
    there?.delete(pod.uid)
    if (there?.size === 0) this.#byNode.delete(node)
    this.#forget(node)
  }

  #forget(node: string): void {
    this.version += 1
    this.#infos.delete(node)
    this.#snapshot = undefined
  }

  #info(node: Node): NodeInfo {
    const known = this.#infos.get(node.name)
    if (known) return known
    const info = nodeInfo(node, [...(this.#byNode.get(node.name)?.values() ?? [])])
    this.#infos.set(node.name, info)
    return info
  }
}

function sameNode(a: Node, b: Node): boolean {
  return (
    a.uid === b.uid &&
    a.unschedulable === b.unschedulable &&
    a.ready === b.ready &&
    sameMap(a.allocatable, b.allocatable) &&
    sameMap(a.labels, b.labels) &&
    JSON.stringify(a.taints) === JSON.stringify(b.taints)
  )
}

function sameMap<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}
