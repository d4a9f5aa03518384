import { isLabelValue, isQualifiedName } from '../store/label-selector.ts'
import type { Problem } from './errors.ts'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const keyRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

/** A DNS-1123 label of at most 63 characters: names of containers, namespaces, services. */
export function labelProblems(field: string, value: string): readonly Problem[] {
  return nameProblems(field, value, { pattern: label, rule: labelRule, longest: 63 })
}

/** A DNS-1123 subdomain of at most 253 characters: names of most objects. */
export function subdomainProblems(field: string, value: string): readonly Problem[] {
  return nameProblems(field, value, { pattern: subdomain, rule: subdomainRule, longest: 253 })
}

type Rule = { readonly pattern: RegExp; readonly rule: string; readonly longest: number }

function nameProblems(field: string, value: string, { pattern, rule, longest }: Rule): readonly Problem[] {
  const problems: Problem[] = []
  if (value.length > longest)
    problems.push({ field, type: 'invalid', value, detail: `must be no more than ${longest} characters` })
  if (!pattern.test(value)) problems.push({ field, type: 'invalid', value, detail: rule })
  return problems
}

/** Keys and values of labels or of a node selector. */
export function labelMapProblems(field: string, labels: Readonly<Record<string, unknown>>): readonly Problem[] {
  const problems: Problem[] = []
  for (const [key, value] of Object.entries(labels)) {
    if (!isQualifiedName(key)) problems.push({ field, type: 'invalid', value: key, detail: keyRule })
    if (typeof value === 'string' && !isLabelValue(value))
      problems.push({ field, type: 'invalid', value, detail: value.length > 63 ? tooLong : valueRule })
  }
  return problems
}

const tooLong = 'must be no more than 63 characters'

/** Keys of annotations, which may also have upper case in their prefix, and are at most 256 KiB in all. */
export function annotationProblems(annotations: Readonly<Record<string, unknown>>): readonly Problem[] {
  const field = 'metadata.annotations'
  const problems: Problem[] = []
  let size = 0
  for (const [key, value] of Object.entries(annotations)) {
    size += key.length + String(value).length
    if (!isQualifiedName(key.toLowerCase())) problems.push({ field, type: 'invalid', value: key, detail: keyRule })
  }
  if (size > 256 * 1024) problems.push({ field, type: 'tooLong', detail: 'may not be more than 262144 bytes' })
  return problems
}
