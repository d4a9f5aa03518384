import { matchesGlob } from 'node:path'
import type { LabelSelector, NodeTerm, Pod, Requirement, Taint, Toleration, Node } from './kinds.ts'

type Labels = Readonly<Record<string, string>>

/** Whether labels meet a selector; an absent selector matches nothing, an empty one everything, as upstream. */
export function selects(selector: LabelSelector | null | undefined, labels: Labels = {}): boolean {
  if (!selector) return false
  if (!matchesLabels(selector.matchLabels ?? {}, labels)) return false
  return (selector.matchExpressions ?? []).every(requirement => meets(requirement, labels))
}

/** Whether each wanted label is there with its value. */
export function matchesLabels(wanted: Labels, labels: Labels = {}): boolean {
  for (const key of Object.keys(wanted)) if (!Object.hasOwn(labels, key) || labels[key] !== wanted[key]) return false
  return true
}

export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
type Test = (value: string | undefined, values: readonly string[]) => boolean

const tests: Readonly<Record<Operator, Test>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: value => value !== undefined,
  DoesNotExist: value => value === undefined,
  Gt: (value, [bound]) => integer(value) > integer(bound),
  Lt: (value, [bound]) => integer(value) < integer(bound)
}

/** NaN where the text is no whole number, so that it is neither more nor less than anything. */
function integer(text: string | undefined): number {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
}

/** Whether labels meet one requirement of a selector; a missing key meets the negative ones, nothing an unknown operator. */
export function meets({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
  const test = Object.hasOwn(tests, operator) ? tests[operator as Operator] : () => false
  return test(Object.hasOwn(labels, key) ? labels[key] : undefined, values)
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
