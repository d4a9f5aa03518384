import { matchesGlob } from 'node:path'
import type { LabelSelector, NodeTerm, Pod, Requirement, Taint, Toleration, Node } from './kinds.ts'

type Labels = Readonly<Record<string, string>>

/** Whether labels meet a selector; an absent selector matches nothing, an empty one everything, as upstream. */
export function selects(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  if (selector === undefined) return false
  if (!matchesLabels(selector.matchLabels ?? {}, labels)) return false
  return (selector.matchExpressions ?? []).every(requirement => meets(requirement, labels))
}

/** Whether each wanted label is there with its value. */
export function matchesLabels(wanted: Labels, labels: Labels = {}): boolean {
  for (const key of Object.keys(wanted)) if (labels[key] !== wanted[key]) return false
  return true
}

/** Whether labels meet one requirement of a selector. */
function meets({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return Number(value) > Number(values[0])
    case 'Lt':
      return Number(value) < Number(values[0])
    default:
      return false
  }
}

/** Whether a node meets a pod's nodeSelector and required node affinity. */
export function nodeMatches(pod: Pick<Pod, 'spec'>, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  if (!matchesLabels(pod.spec.nodeSelector ?? {}, labels)) return false
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (required === undefined) return true
  return (required.nodeSelectorTerms ?? []).some(term => meetsTerm(term, node))
}

function meetsTerm(term: NodeTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length + matchFields.length === 0) return false
  const fields = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every(requirement => meets(requirement, node.metadata.labels ?? {})) &&
    matchFields.every(requirement => meets(requirement, fields))
  )
}

/** Whether a toleration covers a taint. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator, value = '', effect = '' } = toleration
  if (effect !== '' && effect !== taint.effect) return false
  if (key === '') return operator === 'Exists'
  return key === taint.key && (operator === 'Exists' || value === (taint.value ?? ''))
}

/** The annotation of a Service that selects pods by a glob over their names. */
export const globSelector = 'k4s/selector'

/** Whether a name matches a glob of `*`, `?`, `[abc]`, `[!x]`. */
export const matchesName = (name: string, glob: string): boolean => matchesGlob(name, glob)
