import { type FilterPlugin, runFilters } from '../framework.ts'
import { joined, type NodeInfo } from '../snapshot.ts'
import type { Pod } from '../types.ts'

/** Where the members stood in the last plan, for as long as they can stand there. */
export class Proof {
  readonly #filters: readonly FilterPlugin[]
  /** By node. */
  #members: ReadonlyMap<string, readonly Pod[]> | undefined
  /** Nodes that have lost room since they were looked at, by the numbers by which the asker knows them. */
  readonly #narrowed = new Set<number>()

  constructor(filters: readonly FilterPlugin[]) {
    this.#filters = filters
  }

  /** A new plan. */
  record(pods: readonly Pod[], nodes: ReadonlyMap<string, string>): void {
    const placed = pods.filter(pod => nodes.has(pod.uid))
    this.#members = Map.groupBy(placed, pod => nodes.get(pod.uid) ?? '')
    this.#narrowed.clear()
  }

  /** That node has lost room. */
  narrow(site: number): void {
    if (this.#members) this.#narrowed.add(site)
  }

  /** Whether the members can stand there now; `now` tells of a node as it is. */
  holds(now: (site: number) => NodeInfo): boolean {
    if (!this.#members) return false
    for (const site of this.#narrowed) {
      const info = now(site)
      if (!this.#fit(info, this.#members.get(info.node.name) ?? [])) return false
      this.#narrowed.delete(site)
    }
    return true
  }

  #fit(start: NodeInfo, members: readonly Pod[]): boolean {
    let info = start
    for (const member of members) {
      if (runFilters(this.#filters, member.shape, info) !== undefined) return false
      info = joined(info, member)
    }
    return true
  }
}
