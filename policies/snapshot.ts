import { compare } from './text.ts'
import type { Claim, HostPort, Node, Pod, Resources } from './types.ts'

/** A node and what stands on it, frozen. */
export type NodeInfo = {
  readonly node: Node
  readonly pods: readonly Pod[]
  /** Sum of the pods' requests, `pods` included. */
  readonly used: Resources
  readonly ports: readonly HostPort[]
}

/** Makes the info of one node from its pods. */
export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  const used = new Map<string, number>()
  for (const pod of pods) addTo(used, pod.shape.requests)
  return { node, pods, used, ports: pods.flatMap(pod => pod.shape.hostPorts) }
}

/** That node once one more pod stands on it. */
export function joined(info: NodeInfo, pod: Pod): NodeInfo {
  const used = new Map(info.used)
  addTo(used, pod.shape.requests)
  const { hostPorts } = pod.shape
  return {
    node: info.node,
    pods: [...info.pods, pod],
    used,
    ports: hostPorts.length === 0 ? info.ports : [...info.ports, ...hostPorts]
  }
}

function addTo(sum: Map<string, number>, amounts: Resources): void {
  for (const [name, amount] of amounts) sum.set(name, (sum.get(name) ?? 0) + amount)
}

/** The cluster at one moment. A what-if is a new snapshot; nothing here ever changes. */
export class Snapshot {
  /** In the order of their names, so that whoever walks them gets the same answer. */
  readonly nodes: readonly NodeInfo[]
  #byName: ReadonlyMap<string, NodeInfo> | undefined

  /** `inOrder` says that the nodes come sorted by name. */
  constructor(nodes: Iterable<NodeInfo>, inOrder = false) {
    this.nodes = inOrder ? [...nodes] : [...nodes].toSorted((a, b) => compare(a.node.name, b.node.name))
  }

  node(name: string): NodeInfo | undefined {
    this.#byName ??= new Map(this.nodes.map(info => [info.node.name, info]))
    return this.#byName.get(name)
  }

  /** This cluster with those claims on top; claims on unknown nodes are ignored. */
  with(claims: readonly Claim[]): Snapshot {
    return this.#changed(claims, (pods, added) => [...pods, ...added])
  }

  /** This cluster once those pods are gone. */
  without(claims: readonly Claim[]): Snapshot {
    return this.#changed(claims, (pods, removed) => {
      const uids = new Set(removed.map(pod => pod.uid))
      return pods.filter(pod => !uids.has(pod.uid))
    })
  }

  #changed(claims: readonly Claim[], change: (pods: readonly Pod[], claimed: readonly Pod[]) => Pod[]): Snapshot {
    if (claims.length === 0) return this
    const byNode = Map.groupBy(claims, claim => claim.node)
    const nodes = this.nodes.map(info => {
      const claimed = byNode.get(info.node.name)?.map(claim => claim.pod)
      return claimed ? nodeInfo(info.node, change(info.pods, claimed)) : info
    })
    return new Snapshot(nodes, true)
  }
}
