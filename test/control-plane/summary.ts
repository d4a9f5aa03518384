import { gangKey } from './history.ts'
import { isBound, isGated, isNominated, type Pod } from './objects.ts'

const longest = 30

/**
 * One line for all pods, then one per gang and one for each namespace's other pods: how many are in which state, and
 * one refusal's text; those with unbound pods come first.
 */
export function summary(pods: readonly Pod[]): string {
  const groups = [...Map.groupBy(pods, pod => gangKey(pod) ?? `${pod.metadata.namespace} (no gang)`)]
  const lines = groups
    .toSorted(([one, left], [other, right]) => unbound(right) - unbound(left) || (one < other ? -1 : 1))
    .map(([key, group]) => line(key, group))
  const more = lines.length > longest ? [`… and ${lines.length - longest} more`] : []
  return [line('all', pods), ...lines.slice(0, longest), ...more].join('\n')
}

const unbound = (pods: readonly Pod[]): number => pods.filter(pod => !isBound(pod)).length

function line(key: string, pods: readonly Pod[]): string {
  const count = (matches: (pod: Pod) => boolean) => pods.filter(matches).length
  const counts = `${pods.length} pods, ${count(isBound)} bound, ${count(isNominated)} nominated, ${count(isGated)} gated`
  const refused = pods.flatMap(pod => pod.status.conditions ?? []).find(each => each.status === 'False' && each.message)
  return `${key}: ${counts}${refused ? `; ${refused.reason}: ${refused.message}` : ''}`
}
