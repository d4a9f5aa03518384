import type { PodView } from './views.ts'

/** Which waiting pods are nominated for which nodes: room that their equals and lesser must leave them. */
export class Nominator {
  readonly #byNode = new Map<string, Map<string, PodView>>()
  readonly #nodeOf = new Map<string, string>()

  /** Nominates a pod for `node`; without it, for what its status says. An empty name is none. */
  nominate(view: PodView, node = view.pod.nominatedNodeName ?? ''): void {
    this.delete(view.pod.uid)
    if (node === '') return
    this.#nodeOf.set(view.pod.uid, node)
    const pods = this.#byNode.get(node) ?? new Map<string, PodView>()
    this.#byNode.set(node, pods.set(view.pod.uid, view))
  }

  /**
   * The pod has changed. A nomination that the status does not show yet stays: we have only just made it
   * (upstream `UpdateNominatedPod`).
   */
  update(before: PodView, after: PodView): void {
    const isUnseen = before.pod.nominatedNodeName === undefined && after.pod.nominatedNodeName === undefined
    this.nominate(after, isUnseen ? (this.#nodeOf.get(before.pod.uid) ?? '') : after.pod.nominatedNodeName)
  }

  delete(uid: string): void {
    const node = this.#nodeOf.get(uid)
    if (node === undefined) return
    this.#nodeOf.delete(uid)
    const pods = this.#byNode.get(node)
    pods?.delete(uid)
    if (pods?.size === 0) this.#byNode.delete(node)
  }

  on(node: string): readonly PodView[] {
    return [...(this.#byNode.get(node)?.values() ?? [])]
  }

  /** Those to whom a pod must leave the room: nominated there, of its priority or above. */
  above({ pod }: PodView, node: string): readonly PodView['pod'][] {
    const pods = this.#byNode.get(node)
    if (!pods) return []
    return [...pods.values()]
      .map(view => view.pod)
      .filter(other => other.uid !== pod.uid && other.priority >= pod.priority)
  }
}
