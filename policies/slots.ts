import { type FilterPlugin, runFilters } from './framework.ts'
import { nodeResources } from './node-resources.ts'
import { joined, type NodeInfo, nodeInfo, type Snapshot } from './snapshot.ts'
import type { Pod } from './types.ts'

type Cell = {
  readonly info: NodeInfo
  /** By requested resource, in the order of `Slots.#wanted`. */
  readonly free: number[]
  readonly gone: Set<string>
  slots: number
}

/**
 * How many pods of one shape the cluster takes while pods are taken out of it and put back. Exact for this shape alone:
 * with no other kind of member, so many fit.
 */
export class Slots {
  readonly #member: Pod
  readonly #filters: readonly FilterPlugin[]
  readonly #cells = new Map<string, Cell>()
  readonly #wanted: readonly (readonly [string, number])[]
  /** Whether amounts alone tell how often the shape fits, on nodes that take it at all. */
  readonly #byAmounts: boolean
  total = 0

  /** Nodes that would not take the member even without all pods that may go are left out. */
  constructor(snapshot: Snapshot, member: Pod, { filters, mayGo, refused }: SlotsOptions) {
    const { shape } = member
    this.#member = member
    this.#filters = filters
    this.#wanted = [...shape.requests].filter(([, amount]) => amount > 0)
    this.#byAmounts = filters.includes(nodeResources) && filters.every(filter => !filter.seesPods?.(shape))
    for (const info of snapshot.nodes) {
      const { name } = info.node
      if (refused.has(name) || runFilters(filters, shape, emptied(info, mayGo)) !== undefined) continue
      const free = this.#wanted.map(([resource]) => amountOf(info, resource))
      const cell: Cell = { info, free, gone: new Set(), slots: 0 }
      this.#cells.set(name, cell)
      this.#count(cell)
    }
  }

  /** The pod's room is free from now on. */
  take(pod: Pod): void {
    this.#change(pod, cell => cell.gone.add(pod.uid), 1)
  }

  /** The pod is back. */
  put(pod: Pod): void {
    this.#change(pod, cell => cell.gone.delete(pod.uid), -1)
  }

  /** How many the node takes as things are. */
  on(node: string): number {
    return this.#cells.get(node)?.slots ?? 0
  }

  #change(pod: Pod, change: (cell: Cell) => void, sign: 1 | -1): void {
    const cell = this.#cells.get(pod.nodeName ?? '')
    if (!cell) return
    change(cell)
    for (const [index, [resource]] of this.#wanted.entries())
      cell.free[index] = (cell.free[index] ?? 0) + sign * (pod.shape.requests.get(resource) ?? 0)
    this.#count(cell)
  }

  #count(cell: Cell): void {
    this.total -= cell.slots
    const amounts = this.#wanted.map(([, amount], index) => Math.floor((cell.free[index] ?? 0) / amount))
    const most = Math.max(0, Math.min(...amounts, Number.MAX_SAFE_INTEGER))
    cell.slots = this.#byAmounts ? most : this.#tried(cell, this.#filters.includes(nodeResources) ? most : tooMany)
    this.total += cell.slots
  }

  /** Lets members in one by one, as long as the filters do. */
  #tried(cell: Cell, most: number): number {
    const stays = cell.info.pods.filter(pod => !cell.gone.has(pod.uid))
    let info = nodeInfo(cell.info.node, stays)
    let count = 0
    while (count < Math.min(most, tooMany) && runFilters(this.#filters, this.#member.shape, info) === undefined) {
      info = joined(info, this.#member)
      count += 1
    }
    return count
  }
}

export type SlotsOptions = {
  readonly filters: readonly FilterPlugin[]
  /** By uid. */
  readonly mayGo: ReadonlySet<string>
  /** Nodes that kube-scheduler does not take for this shape. */
  readonly refused: ReadonlySet<string>
}

/** More pods than any node takes. */
const tooMany = 1_000

function amountOf({ node, used }: NodeInfo, resource: string): number {
  return (node.allocatable.get(resource) ?? 0) - (used.get(resource) ?? 0)
}

function emptied(info: NodeInfo, mayGo: ReadonlySet<string>): NodeInfo {
  const stays = info.pods.filter(pod => !mayGo.has(pod.uid))
  return stays.length === info.pods.length ? info : nodeInfo(info.node, stays)
}
