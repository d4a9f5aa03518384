import { annotations, plain } from './names.ts'
import { parseInteger } from './parse.ts'
import type { Pod } from './types.ts'

/** What gives the right to a node's room. Of two in one namespace `own` decides, between namespaces `cross`. */
export type Rank = { readonly namespace: string; readonly own: number; readonly cross: number }

/** Whether `a` may take the room of `b`. Never so for equals. */
export function outranks(a: Rank, b: Rank): boolean {
  return a.namespace === b.namespace ? a.own > b.own : a.cross > b.cross
}

/** The rank of the whole: its members' minimum. Members share a namespace. */
export function lowest(ranks: readonly Rank[]): Rank {
  const [first] = ranks
  if (!first) throw new TypeError('a gang has at least one member')
  const least = (of: (rank: Rank) => number): number => Math.min(...ranks.map(of))
  return { namespace: first.namespace, own: least(rank => rank.own), cross: least(rank => rank.cross) }
}

/**
 * A pod's rank. By default `spec.priority` is all of it. Where annotations rank (`byAnnotation`), the annotation takes
 * its place inside the namespace; over other namespaces it lifts a pod no higher than the namespace's `cap`, while a
 * lower one counts. What is no integer counts as 0.
 */
export function rankOf(
  pod: Pod,
  { byAnnotation, cap }: { readonly byAnnotation: boolean; readonly cap: number }
): Rank {
  const { namespace, priority } = pod
  const text = byAnnotation ? priorityText(pod) : undefined
  if (text === undefined) return { namespace, own: priority, cross: priority }
  const own = parseInteger(text) ?? 0
  return { namespace, own, cross: own <= cap ? own : Math.max(priority, cap) }
}

/** The annotation that orders pods: muster's own before the plain one. */
export function priorityText({ annotations: all }: Pod): string | undefined {
  return all.get(annotations.priority) ?? all.get(plain.priority)
}
