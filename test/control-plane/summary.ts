import { gangKey } from './history.ts'
import { isBound, isGated, isNominated, type Pod } from './objects.ts'

/** One line for all pods, one per gang and one for each namespace's other pods: how many are in which state, and one refusal's text. */
export function summary(pods: readonly Pod[]): string {
  const groups = new Map<string, Pod[]>()
  for (const pod of pods) {
    const key = gangKey(pod) ?? `${pod.metadata.namespace} (no gang)`
    groups.set(key, [...(groups.get(key) ?? []), pod])
  }
  const lines = [...groups].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([key, group]) => line(key, group))
  const shown = lines.slice(0, 30)
  return [line('all', pods), ...shown, ...(lines.length > shown.length ? [`… and ${lines.length - shown.length} more`] : [])].join('\n')
}

function line(key: string, pods: readonly Pod[]): string {
  const count = (matches: (pod: Pod) => boolean) => pods.filter(matches).length
  const counts = `${pods.length} pods, ${count(isBound)} bound, ${count(isNominated)} nominated, ${count(isGated)} gated`
  const refused = pods.flatMap(pod => pod.status.conditions ?? []).find(each => each.status === 'False' && each.message)
  return `${key}: ${counts}${refused ? `; ${refused.reason}: ${refused.message}` : ''}`
}
