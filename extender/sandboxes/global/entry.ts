import type { Cluster } from '../../../policies/clusters.ts'

/** A cluster and where its scheduler answers. */
export type Entry = { readonly cluster: Cluster; readonly endpoint: string }

export const strategies = ['rendezvous', 'weighted-random'] as const
/** How new sandboxes spread inside a tier: a project always at the same place, or each one drawn anew. */
export type Strategy = (typeof strategies)[number]

/** What a front door is told. */
export type Settings = {
  readonly clusters: readonly Entry[]
  readonly strategy: Strategy
  /** A cluster that is lost for so long no longer holds its sandboxes: they are placed anew. */
  readonly failoverAfterMs: number
}
