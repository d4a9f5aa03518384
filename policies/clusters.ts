import {
  type Cluster,
  type ClusterView,
  type Condition,
  decided,
  fine,
  objection,
  returning
} from './clusters/cluster.ts'
import { rendezvous, type Tier, tiersOf, turnOf } from './clusters/tiers.ts'

export { type Cluster, type ClusterView, type Condition, fine }

export type Wish = {
  /** What is spread: all that has the same key goes to the same place. A project, or dice for a random spread. */
  readonly key: string
  /** Labels that the cluster must have. */
  readonly labels: ReadonlyMap<string, string>
  /** Where the sandbox is already; it is not to be found anywhere else. */
  readonly held?: string
  /** Where other sandboxes of the project are: the first to be asked, if it can take one. */
  readonly near?: string
  /** A cluster that is lost for so long no longer holds anything. */
  readonly failoverAfterMs: number
}

export type Verdict = { readonly cluster: string; readonly verdict: string }

export type Choice = {
  readonly reason: 'STICKY' | 'WEIGHTED' | 'SPILLOVER' | 'PANIC'
  /** Who is asked, in this order. Empty: nobody can be asked. */
  readonly ranked: readonly Cluster[]
  /** Every cluster and why it was passed over, in order of name; empty text for the chosen one. */
  readonly verdicts: readonly Verdict[]
}

/** Whether a cluster's sandboxes are still to be looked for there. */
export function holds({ cluster, condition }: ClusterView, failoverAfterMs: number): boolean {
  return cluster.state !== 'disabled' && condition.lostMs < failoverAfterMs
}

/**
 * Chooses a cluster. 1. The one that holds the sandbox, alone. 2. Among candidates: the one that the project is at;
 * then the tier whose turn it is, by weight; then the other tiers, the lowest number first. 3. Those that have come
 * back a moment ago, if nobody else can. 4. In panic: one that is active, whatever its health. The same views and
 * wish give the same choice, on every replica.
 */
export function choose(views: readonly ClusterView[], wish: Wish): Choice {
  const held = views.find(({ cluster }) => cluster.name === wish.held)
  if (held && holds(held, wish.failoverAfterMs)) {
    return { reason: 'STICKY', ranked: [held.cluster], verdicts: verdictsOf(views, wish, [held.cluster]) }
  }
  const known = views.filter(({ cluster }) => decided(cluster, wish.labels) === undefined).map(({ cluster }) => cluster)
  const able = candidatesOf(views, wish)
  if (able.length === 0) return panic(views, wish, known)
  const tiers = tiersOf(known, able)
  const turn = turnOf(tiers, wish.key)
  const ordered = [...(turn ? [turn] : []), ...tiers.filter(tier => tier !== turn)]
  const ranked = ordered.flatMap(({ candidates }) => rendezvous(candidates, wish.key))
  const near = ranked.find(({ name }) => name === wish.near)
  const order = near ? [near, ...ranked.filter(other => other !== near)] : ranked
  return { reason: near ? 'STICKY' : reasonOf(tiers, turn), ranked: order, verdicts: verdictsOf(views, wish, order) }
}

/** Without any other candidate, those count that have come back a moment ago. */
function candidatesOf(views: readonly ClusterView[], { labels }: Wish): readonly Cluster[] {
  const without = (...allowed: readonly (string | undefined)[]): readonly Cluster[] =>
    views.filter(view => allowed.includes(objection(view, labels))).map(({ cluster }) => cluster)
  const able = without(undefined)
  return able.length > 0 ? able : without(returning)
}

/** A tier takes what an earlier one cannot: that is spill-over, even though it was chosen by weight. */
function reasonOf(tiers: readonly Tier[], turn: Tier | undefined): Choice['reason'] {
  return turn === tiers[0] ? 'WEIGHTED' : 'SPILLOVER'
}

function panic(views: readonly ClusterView[], wish: Wish, known: readonly Cluster[]): Choice {
  const open = known.filter(cluster => {
    const condition = views.find(view => view.cluster === cluster)?.condition ?? fine
    // It has answered, and the answer is no.
    return !condition.saturated && condition.sandboxes < (cluster.capacity ?? Infinity)
  })
  const first = Math.min(...open.map(({ priority }) => priority))
  const ranked = rendezvous(
    open.filter(({ priority }) => priority === first),
    wish.key
  ).slice(0, 1)
  return { reason: 'PANIC', ranked, verdicts: verdictsOf(views, wish, ranked) }
}

function verdictsOf(views: readonly ClusterView[], wish: Wish, ranked: readonly Cluster[]): readonly Verdict[] {
  const [chosen] = ranked
  return views
    .map(view => ({
      cluster: view.cluster.name,
      verdict: view.cluster === chosen ? '' : (objection(view, wish.labels) ?? place(view.cluster, ranked))
    }))
    .toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1))
}

/** A candidate that was not the first. */
function place(cluster: Cluster, ranked: readonly Cluster[]): string {
  const [chosen] = ranked
  if (!chosen || !ranked.includes(cluster)) return 'the sandbox is held elsewhere'
  const at = ranked.indexOf(cluster) + 1
  return cluster.priority === chosen.priority
    ? `number ${at} in order: ${chosen.name} comes first by weight`
    : `number ${at} in order: it is the turn of the clusters of priority ${chosen.priority}`
}
