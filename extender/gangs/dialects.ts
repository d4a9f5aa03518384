import { annotations, gangGate, plain } from '../../policies/names.ts'
import { parseInteger } from '../../policies/parse.ts'
import type { Pod } from '../../policies/types.ts'

/** What a pod says about its gang; `minMember` is undefined where it declares no size. */
export type Membership = {
  /** `NAMESPACE/DIALECT/NAME`: gangs of two namespaces or dialects never meet. */
  readonly key: string
  readonly namespace: string
  readonly dialect: 'muster' | 'pod-group'
  readonly name: string
  readonly minMember: number | undefined
  /** What is wrong with the declaration, naming the annotation and the rule. */
  readonly problem: string | undefined
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const groupName = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?$/

/** One row per dialect, the most explicit first: a pod belongs to the first whose key it carries. */
const dialects = [
  {
    dialect: 'muster',
    nameKey: annotations.gang,
    sizeKey: annotations.minMember,
    grammar: dnsLabel,
    rule: 'must be a DNS label (lower-case letters, digits and dashes, at most 63)'
  },
  {
    dialect: 'pod-group',
    nameKey: plain.podGroup,
    sizeKey: annotations.minMember,
    grammar: groupName,
    rule: 'must be 1 to 253 letters, digits, dashes, dots or underscores, with a letter or digit at both ends'
  }
] as const

/**
 * The gang that the pod says it belongs to, if any. Native groups are kube-scheduler's own: such pods belong to no
 * gang of ours. A malformed name still makes a gang (of that text), so that its pods are refused instead of started
 * one by one.
 */
export function membership(pod: Pod): Membership | undefined {
  if (pod.native) return undefined
  for (const { dialect, nameKey, sizeKey, grammar, rule } of dialects) {
    const name = pod.annotations.get(nameKey)
    if (name === undefined) continue
    const size = declaredSize(pod, sizeKey)
    return {
      key: `${pod.namespace}/${dialect}/${name}`,
      namespace: pod.namespace,
      dialect,
      name,
      minMember: size.minMember,
      problem: grammar.test(name) ? size.problem : `annotation ${nameKey}: ${quoted(name)} ${rule}`
    }
  }
  return undefined
}

/** True while nothing but muster keeps the pod from being scheduled. */
export function gatedByMuster(pod: Pod): boolean {
  return pod.gates.includes(gangGate)
}

/** True while somebody else's gate keeps the pod from being scheduled. */
export function gatedByOthers(pod: Pod): boolean {
  return pod.gates.some(gate => gate !== gangGate)
}

function declaredSize(pod: Pod, key: string): { minMember: number | undefined; problem: string | undefined } {
  const text = pod.annotations.get(key)
  if (text === undefined) return { minMember: undefined, problem: undefined }
  const minMember = parseInteger(text)
  if (minMember !== undefined && minMember >= 1) return { minMember, problem: undefined }
  return { minMember: undefined, problem: `annotation ${key}: ${quoted(text)} must be a decimal integer of at least 1` }
}

/** A user's text as it may stand in a message: short, and without line breaks. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
