import type { Pod } from './types.ts'

/** What is asked of the planner: room for at least `need` of `pods`, for more where there is room. */
export type PlanRequest = {
  /** The members without a node, in order of preference. */
  readonly pods: readonly Pod[]
  /** How many of them must get a node, or none gets one. */
  readonly need: number
  /** Learnt from kube-scheduler: shape keys by node name that it refused there for reasons not modelled here. */
  readonly refused: ReadonlyMap<string, ReadonlySet<string>>
}

/** Every member's node, by pod uid. */
export type Plan = { readonly outcome: 'planned'; readonly nodes: ReadonlyMap<string, string> }

/** Why there is no plan. `unknown` means that the search budget ended before either answer was proven. */
export type Explanation = {
  readonly outcome: 'infeasible' | 'unknown'
  /** How many of `need` could be placed at best, as far as the search went. */
  readonly placed: number
  readonly need: number
  /**
   * For the first member that found no node, as `namespace/name`: how many nodes refuse it and why; the counts add up
   * to all nodes. No pod (empty text) where every member found a node, but there are fewer members than `need`.
   */
  readonly blocked: { readonly pod: string; readonly reasons: ReadonlyMap<string, number> }
  /** All of it in one sentence. */
  readonly message: string
  /** True where it names pods of the gang's namespace, and is for nobody else. */
  readonly isPrivate?: true
}
