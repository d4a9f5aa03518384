import { type FilterPlugin, success } from './framework.ts'
import type { Node, NodeSelectorTerm, Requirement } from './types.ts'

/** NodeAffinity holds a pod to its node selector and to any one term of its required node affinity. */
export const nodeAffinity = {
  name: 'NodeAffinity',
  filter(shape, { node }) {
    return isSelected(shape.nodeSelector, node) && (shape.affinity?.some(term => matches(term, node)) ?? true)
      ? success
      : { code: 'UnschedulableAndUnresolvable', reason: "node(s) didn't match Pod's node affinity/selector" }
  }
} satisfies FilterPlugin

function isSelected(nodeSelector: ReadonlyMap<string, string>, node: Node): boolean {
  for (const [key, value] of nodeSelector) if (node.labels.get(key) !== value) return false
  return true
}

/** As upstream, an empty term matches nothing, and so does a term with an invalid requirement. */
function matches({ matchExpressions, matchFields }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false
  return (
    matchExpressions.every(requirement => labelMatches(requirement, node.labels.get(requirement.key))) &&
    matchFields.every(requirement => fieldMatches(requirement, node.name))
  )
}

function labelMatches({ operator, values }: Requirement, label: string | undefined): boolean {
  return operators.get(operator)?.(label, values) ?? false
}

type Operator = (label: string | undefined, values: readonly string[]) => boolean

/** Those that the API knows; for each also what its validation says about the number of values. */
const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['In', (label, values) => label !== undefined && values.includes(label)],
  ['NotIn', (label, values) => values.length > 0 && (label === undefined || !values.includes(label))],
  ['Exists', (label, values) => values.length === 0 && label !== undefined],
  ['DoesNotExist', (label, values) => values.length === 0 && label === undefined],
  ['Gt', (label, values) => compare(label, values, (have, bound) => have > bound)],
  ['Lt', (label, values) => compare(label, values, (have, bound) => have < bound)]
])

/** `metadata.name` is the only field; the API knows In and NotIn with exactly one value. */
function fieldMatches({ key, operator, values }: Requirement, name: string): boolean {
  if (key !== 'metadata.name' || values.length !== 1) return false
  if (operator === 'In') return values[0] === name
  return operator === 'NotIn' && values[0] !== name
}

function compare(label: string | undefined, values: readonly string[], holds: (a: bigint, b: bigint) => boolean) {
  if (values.length !== 1) return false
  const [have, bound] = [integer(label), integer(values[0])]
  return have !== undefined && bound !== undefined && holds(have, bound)
}

/** Go's `ParseInt(text, 10, 64)`. A label value has at most 63 characters. */
function integer(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?[0-9]{1,63}$/.test(text)) return undefined
  const value = BigInt(text.replace('+', ''))
  return BigInt.asIntN(64, value) === value ? value : undefined
}
