import type { Ground } from './ground.ts'

/** Whether the site takes each kind, and how much of each resource is free. */
type Standing = { readonly site: number; readonly values: readonly number[]; readonly sum: number }

/**
 * Of sites that stay as they are, those that can make a difference to whether the members fit: a site can be left out
 * where as many others as there are members take whatever it takes.
 */
export function thinned(ground: Ground, sites: readonly number[]): readonly number[] {
  const { kinds, byAmounts } = ground.wants
  const wanted = [...kinds.keys()].filter(kind => sites.some(site => ground.takes(site, kind)))
  const members = wanted.reduce((sum, kind) => sum + (kinds[kind]?.pods.length ?? 0), 0)
  if (!wanted.every(kind => byAmounts[kind])) return unlike(ground, sites, members)
  const bySize = Map.groupBy(sites, site => ground.sizes(site))
  return [...bySize.values()].flatMap(alike => undominated(ground, alike, members))
}

/** Of nodes of one size, for kinds that fit by amounts: one takes what another takes where nothing is scarcer on it. */
function undominated(ground: Ground, sites: readonly number[], members: number): readonly number[] {
  const kept: Standing[] = []
  for (const each of sites.map(site => standingOf(ground, site)).toSorted(largestFirst)) {
    let better = 0
    for (const other of kept) {
      if (better >= members) break
      if (each.values.every((value, index) => value <= (other.values[index] ?? 0))) better += 1
    }
    if (better < members) kept.push(each)
  }
  return kept.map(({ site }) => site)
}

/** 1. More in sum: what offers less of nothing comes first. 2. As they stood. */
const largestFirst = (a: Standing, b: Standing): number => b.sum - a.sum || a.site - b.site

function standingOf(ground: Ground, site: number): Standing {
  const answers = ground.wants.kinds.map((_, kind) => (ground.takes(site, kind) ? 1 : 0))
  const values = [...answers, ...ground.free(site)]
  return { site, values, sum: values.reduce((sum, value) => sum + value, 0) }
}

/** For others: of nodes that answer alike no more than there are members. */
function unlike(ground: Ground, sites: readonly number[], members: number): readonly number[] {
  const alike = Map.groupBy(sites, site => `${ground.sizes(site)} ${standingOf(ground, site).values.join()}`)
  return [...alike.values()].flatMap(same => same.slice(0, members))
}
