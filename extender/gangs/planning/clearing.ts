import type { Move } from '../../../policies/consolidation.ts'
import type { Claim } from '../../../policies/types.ts'
import type { Leaver } from '../ledger.ts'

/** Nodes for the members, free once the leavers have left. */
export type Clearing = {
  readonly outcome: 'evict'
  readonly nodes: ReadonlyMap<string, string>
  readonly leavers: ReadonlyMap<string, Leaver>
  /** Where room is to be held for those of the leavers that are moved. */
  readonly moves: readonly Move[]
}

/** The pods that leave those nodes anyway have to be gone as well. */
export function withLeaving({ outcome, nodes, leavers, moves }: Clearing, leaving: readonly Claim[]): Clearing {
  const used = new Set(nodes.values())
  const also = leaving
    .filter(({ node }) => used.has(node))
    .map(({ pod }): [string, Leaver] => [pod.uid, { pod, evict: false, whole: undefined, to: undefined }])
  return { outcome, nodes, leavers: new Map([...leavers, ...also]), moves }
}
