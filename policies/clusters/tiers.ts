import type { Cluster } from './cluster.ts'
import { uniform } from './hash.ts'

/** Clusters of one priority, and what part of all projects is theirs. */
export type Tier = { readonly priority: number; readonly candidates: readonly Cluster[]; readonly load: number }

/** A tier with this much less than all of its weight still takes the whole load, as in Envoy. */
const overprovisioning = 1.4

/**
 * Splits the load over tiers: each takes 1.4 times its healthy share, at most all that is left, the lowest number
 * first. What nobody is left to take is shared out in proportion.
 *
 * @param known Those that count as the whole: active ones with the right labels
 * @param candidates Those of them that can take something now
 */
export function tiersOf(known: readonly Cluster[], candidates: readonly Cluster[]): readonly Tier[] {
  const priorities = [...new Set(known.map(({ priority }) => priority))].toSorted((a, b) => a - b)
  const tiers = priorities.map(priority => {
    const able = candidates.filter(cluster => cluster.priority === priority)
    return {
      priority,
      candidates: able,
      health: healthOf(
        known.filter(each => each.priority === priority),
        able
      )
    }
  })
  const whole = Math.min(
    1,
    tiers.reduce((sum, { health }) => sum + health, 0)
  )
  let left = 1
  return tiers.map(({ priority, candidates, health }) => {
    const load = whole === 0 ? 0 : Math.min(left, health / whole)
    left -= load
    return { priority, candidates, load }
  })
}

/** The part of a tier's weight that can take something. With a cluster of weight 0 in reserve it never spills. */
function healthOf(all: readonly Cluster[], able: readonly Cluster[]): number {
  if (able.some(({ weight }) => weight === 0)) return 1
  return able.length === 0 ? 0 : Math.min(1, (overprovisioning * weightOf(able)) / weightOf(all))
}

const weightOf = (clusters: readonly Cluster[]): number => clusters.reduce((sum, { weight }) => sum + weight, 0)

/** The tier whose turn it is, by the key's place in the loads laid end to end; undefined where there is no load. */
export function turnOf(tiers: readonly Tier[], key: string): Tier | undefined {
  const place = uniform('tier', key)
  const loaded = tiers.filter(({ load }) => load > 0)
  let end = 0
  for (const tier of loaded) {
    end += tier.load
    if (place < end) return tier
  }
  // Sums of fractions may end just short of 1.
  return loaded.at(-1)
}

/**
 * The order of the clusters of a tier for a key: weighted rendezvous hashing, score -weight/ln(u). 1. Higher score
 * first. 2. Of those without weight, higher u. 3. By name.
 */
export function rendezvous(clusters: readonly Cluster[], key: string): readonly Cluster[] {
  return clusters
    .map(cluster => {
      const u = uniform(key, cluster.name)
      return { cluster, u, score: -cluster.weight / Math.log(u) }
    })
    .toSorted((a, b) => b.score - a.score || b.u - a.u || (a.cluster.name < b.cluster.name ? -1 : 1))
    .map(({ cluster }) => cluster)
}
