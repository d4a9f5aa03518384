import { isIP } from 'node:net'
import type { Problem } from './errors.ts'

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const namePart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const keyRule =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
const dataKeyRule =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

const problems = (field: string, value: string, texts: readonly string[]): readonly Problem[] =>
  texts.map(detail => ({ field, type: 'invalid', value, detail }))

/** A DNS-1123 label of at most 63 characters: names of containers, namespaces, services. */
export function labelProblems(field: string, value: string): readonly Problem[] {
  const long = value.length > 63 ? ['must be no more than 63 characters'] : []
  const rule = subdomain.test(value) ? 'must not contain dots' : labelRule
  return problems(field, value, label.test(value) ? long : [...long, rule])
}

/** A DNS-1123 subdomain of at most 253 characters: names of most objects. */
export function subdomainProblems(field: string, value: string): readonly Problem[] {
  const long = value.length > 253 ? ['must be no more than 253 characters'] : []
  return problems(field, value, subdomain.test(value) ? long : [...long, subdomainRule])
}

/** What a label's key is: a name, perhaps after a domain and a slash. */
export function keyProblems(field: string, value: string): readonly Problem[] {
  const parts = value.split('/')
  const name = parts.at(-1) ?? ''
  if (parts.length > 2) {
    const rule = `a valid label key ${keyRule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`
    return problems(field, value, [rule])
  }
  const texts = parts.length === 2 ? prefixTexts(parts[0] ?? '') : []
  if (name === '') texts.push('name part must be non-empty')
  else if (name.length > 63) texts.push('name part must be no more than 63 bytes')
  if (!namePart.test(name)) texts.push(`name part ${keyRule}`)
  return problems(field, value, texts)
}

function prefixTexts(prefix: string): string[] {
  if (prefix === '') return ['prefix part must be non-empty']
  const long = prefix.length > 253 ? ['prefix part must be no more than 253 bytes'] : []
  return subdomain.test(prefix) ? long : [...long, `prefix part ${subdomainRule}`]
}

/** What a label's value is. */
export function valueProblems(field: string, value: string): readonly Problem[] {
  const long = value.length > 63 ? ['must be no more than 63 bytes'] : []
  return problems(field, value, value === '' || namePart.test(value) ? long : [...long, valueRule])
}

/** Keys and values of labels or of a node selector. */
export function labelMapProblems(field: string, labels: Readonly<Record<string, unknown>>): readonly Problem[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...keyProblems(field, key),
    ...(typeof value === 'string' ? valueProblems(field, value) : [])
  ])
}

/** Keys of annotations, which may also have upper case in their prefix, and are at most 256 KiB in all. */
export function annotationProblems(field: string, annotations: Readonly<Record<string, unknown>>): readonly Problem[] {
  const found: Problem[] = []
  let size = 0
  for (const [key, value] of Object.entries(annotations)) {
    size += key.length + String(value).length
    found.push(...keyProblems(field, key.toLowerCase()).map(problem => ({ ...problem, value: key })))
  }
  if (size > 256 * 1024) found.push({ field, type: 'tooLong', detail: 'may not be more than 262144 bytes' })
  return found
}

/** A key of a ConfigMap or a Secret: may be the name of a file. */
export function dataKeyProblems(field: string, key: string): readonly Problem[] {
  const texts: string[] = []
  if (key.length > 253) texts.push('must be no more than 253 characters')
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) texts.push(dataKeyRule)
  if (key === '.' || key === '..') texts.push(`must not be '${key}'`)
  else if (key.startsWith('..')) texts.push("must not start with '..'")
  return problems(field, key, texts)
}

/** The name of a port, which others may refer to. */
export function portNameProblems(field: string, name: string): readonly Problem[] {
  const texts: string[] = []
  if (name.length > 15) texts.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/.test(name)) texts.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(name)) texts.push('must contain at least one letter (a-z)')
  if (name.includes('--')) texts.push('must not contain consecutive hyphens')
  if (/^-|-$/.test(name)) texts.push('must not begin or end with a hyphen')
  return problems(field, name, texts)
}

/** An address of IPv4 or IPv6. */
export function addressProblems(field: string, value: string): readonly Problem[] {
  return isIP(value) === 0
    ? problems(field, value, ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'])
    : []
}
