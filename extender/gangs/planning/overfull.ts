import type { Rank } from '../../../policies/ranks.ts'
import type { State } from '../../state.ts'
import { newerFirst } from './adoption.ts'
import { cleared, type Ledger, shortOf } from '../ledger.ts'

/** Gangs whose plans no longer fit on that node, the lowest-ranked first; those left over do fit. */
export function overfull(
  node: string,
  { state, ledger }: { readonly state: State; readonly ledger: Ledger }
): readonly string[] {
  const info = state.node(node)
  const holds = ledger
    .on(node)
    .toSorted((a, b) => Number(a.firm) - Number(b.firm) || byRank(a.rank, b.rank) || newerFirst(a.plan, b.plan))
  const broken: string[] = []
  for (const [index, { gang }] of holds.entries()) {
    const rest = holds.slice(index).flatMap(hold => [...hold.claims.values()].filter(claim => claim.node === node))
    const pods = rest.map(claim => claim.pod)
    if (info && shortOf(cleared(info, holds.slice(index)), pods) === undefined) break
    broken.push(gang)
  }
  return broken
}

/** Lower first. */
const byRank = (a: Rank, b: Rank): number => a.cross - b.cross || a.own - b.own
