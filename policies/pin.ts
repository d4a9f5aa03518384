import { annotations } from './names.ts'
import type { NodeSelectorTerm, Pod, Requirement, Shape } from './types.ts'

const nodeName = 'metadata.name'

/**
 * The required node affinity of a pod once it is held to that node: each of its terms as it was, and the node. A term
 * without requirements matches nothing, and the API takes no change to it.
 */
export function pinnedTerms(terms: Shape['affinity'], node: string): readonly NodeSelectorTerm[] {
  const pin: Requirement = { key: nodeName, operator: 'In', values: [node] }
  if (!terms) return [{ matchExpressions: [], matchFields: [pin] }]
  return terms.map(term => (isEmpty(term) ? term : { ...term, matchFields: [...term.matchFields, pin] }))
}

/** The only node that the required node affinity of a member that asks for a pin allows; undefined without such. */
export function pinnedNode({ annotations: said, shape: { affinity = [] } }: Pod): string | undefined {
  if (said.get(annotations.pin) !== 'true') return undefined
  const nodes = new Set(affinity.filter(term => !isEmpty(term)).map(({ matchFields }) => lastNamed(matchFields)))
  return nodes.size === 1 ? [...nodes][0] : undefined
}

/** The node that the API shows a waiting pod to be meant for: it is pinned to it, or nominated for it. */
export function shownNode(pod: Pod): string | undefined {
  return pinnedNode(pod) ?? pod.nominatedNodeName
}

/** The pin stands behind what the pod's owner has written. */
function lastNamed(requirements: readonly Requirement[]): string | undefined {
  return requirements.findLast(({ key, operator }) => key === nodeName && operator === 'In')?.values[0]
}

const isEmpty = ({ matchExpressions, matchFields }: NodeSelectorTerm): boolean =>
  matchExpressions.length + matchFields.length === 0
