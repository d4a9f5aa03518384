import { type Kind, kindsOf } from '../board.ts'
import { type FilterPlugin, runFilters } from '../framework.ts'
import { nodeResources } from '../node-resources.ts'
import type { PlanRequest } from '../plan.ts'
import type { NodeInfo } from '../snapshot.ts'

export type WantsOptions = {
  readonly filters: readonly FilterPlugin[]
  /** Whether amounts tell where no filter says that it looks at pods; though one may have a mind of its own on amounts. */
  readonly trusting: boolean
}

/** What is asked of every node. */
export class Wants {
  readonly kinds: readonly Kind[]
  /** The resources that some kind asks for. */
  readonly resources: readonly string[]
  /** By kind: how much of each resource a member asks for. */
  readonly needs: readonly (readonly number[])[]
  /** By kind: whether amounts alone tell how often it fits, where it fits at all. */
  readonly byAmounts: readonly boolean[]
  readonly #filters: readonly FilterPlugin[]
  /** By kind: nodes that kube-scheduler does not take for it. */
  readonly #refused: readonly (ReadonlySet<string> | undefined)[]

  constructor(request: PlanRequest, { filters, trusting }: WantsOptions) {
    this.kinds = kindsOf(request.pods)
    this.resources = [...new Set(this.kinds.flatMap(asked))]
    this.needs = this.kinds.map(({ shape }) => this.resources.map(name => shape.requests.get(name) ?? 0))
    const counts = trusting && filters.includes(nodeResources)
    this.byAmounts = this.kinds.map(({ shape }) => counts && filters.every(filter => !filter.seesPods?.(shape)))
    this.#filters = filters
    this.#refused = this.kinds.map(({ shape }) => request.refused.get(shape.key))
  }

  /** Whether the node lets a member of that kind in. */
  admits(kind: number, info: NodeInfo): boolean {
    const shape = this.kinds[kind]?.shape
    if (!shape || this.#refused[kind]?.has(info.node.name)) return false
    return runFilters(this.#filters, shape, info) === undefined
  }
}

const asked = ({ shape }: Kind): readonly string[] =>
  [...shape.requests].filter(([, amount]) => amount > 0).map(([name]) => name)
