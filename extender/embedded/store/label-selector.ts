import { meets, type Operator } from '../selectors.ts'
import type { Matcher } from './store.ts'

/** One condition on labels, as read from a query. */
type Requirement = { readonly key: string; readonly operator: Operator; readonly values: readonly string[] }

/** A selector as queries spell it (`app=web,tier in (a, b),!old`); throws a one-line Error where it is none. */
function parseLabelSelector(selector: string): readonly Requirement[] {
  const tokens = tokensOf(selector)
  if (tokens.length === 0) return []
  const requirements: Requirement[] = []
  for (;;) {
    requirements.push(requirementOf(tokens, selector))
    const next = tokens.shift()
    if (next === undefined) return requirements
    if (next !== ',') throw complaint(next, "',' or 'end of string'")
    if (tokens.length === 0) throw complaint('', "identifier after ','")
  }
}

/** A matcher for a selector; undefined for one that selects all. */
export function labelMatcher(selector: string | undefined): Matcher | undefined {
  if (selector === undefined || selector.trim() === '') return undefined
  const requirements = parseLabelSelector(selector)
  return object => requirements.every(requirement => meets(requirement, object.metadata.labels ?? {}))
}

const token = /\s*(==|!=|[=,()!<>]|[^\s=,()!<>]+)/y

function tokensOf(selector: string): string[] {
  const tokens: string[] = []
  const trimmed = selector.trimEnd()
  token.lastIndex = 0
  while (token.lastIndex < trimmed.length) {
    const found = token.exec(trimmed)
    if (found?.[1] === undefined) break
    tokens.push(found[1])
  }
  return tokens
}

const operators: ReadonlySet<string> = new Set(['=', '==', '!=', ',', '(', ')', '!', '<', '>'])

type Reading = readonly [Operator, (tokens: string[], selector: string) => readonly string[]]

/** How each operator is meant, and how what follows it is read. */
const readings: Readonly<Record<string, Reading>> = {
  '=': ['In', tokens => [valueOf(tokens)]],
  '==': ['In', tokens => [valueOf(tokens)]],
  '!=': ['NotIn', tokens => [valueOf(tokens)]],
  in: ['In', tokens => setOf(tokens)],
  notin: ['NotIn', tokens => setOf(tokens)],
  '>': ['Gt', (tokens, selector) => [integerOf(tokens, selector)]],
  '<': ['Lt', (tokens, selector) => [integerOf(tokens, selector)]]
}

function requirementOf(tokens: string[], selector: string): Requirement {
  const first = tokens.shift()
  if (first === '!') return { key: keyOf(tokens.shift()), operator: 'DoesNotExist', values: [] }
  const key = keyOf(first)
  if (tokens[0] === undefined || tokens[0] === ',') return { key, operator: 'Exists', values: [] }
  const said = tokens.shift() ?? ''
  const reading = Object.hasOwn(readings, said) ? readings[said] : undefined
  if (reading === undefined) throw complaint(said, 'in, notin, =, ==, !=, gt, lt')
  const [operator, read] = reading
  return { key, operator, values: read(tokens, selector) }
}

const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const prefix = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Whether a text may be the key of a label. */
function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/')
  if (slash < 0) return name.test(key)
  return slash <= 253 && prefix.test(key.slice(0, slash)) && name.test(key.slice(slash + 1))
}

/** Whether a text may be the value of a label. */
const isLabelValue = (value: string): boolean => value === '' || name.test(value)

function keyOf(key: string | undefined): string {
  if (key === undefined || operators.has(key)) throw complaint(key ?? '', '!, identifier')
  if (!isQualifiedName(key)) throw new Error(`unable to parse requirement: key: Invalid value: ${JSON.stringify(key)}`)
  return key
}

/** A value may be missing: `a=` and `a=,b` ask for the empty one. */
function valueOf(tokens: string[]): string {
  const value = tokens[0]
  if (value === undefined || value === ',') return ''
  if (operators.has(value)) throw complaint(value, 'identifier')
  tokens.shift()
  return checked(value)
}

function checked(value: string): string {
  if (isLabelValue(value)) return value
  throw new Error(`unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(value)}`)
}

function integerOf(tokens: string[], selector: string): string {
  const value = valueOf(tokens)
  if (/^-?\d+$/.test(value)) return value
  throw new Error(
    `unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer in ${selector}`
  )
}

/** A list of values, of which any may be missing: `()` and `(,)` hold the empty one. */
function setOf(tokens: string[]): readonly string[] {
  const open = tokens.shift()
  if (open !== '(') throw complaint(open ?? '', "'('")
  const values = new Set<string>()
  for (;;) {
    values.add(tokens[0] === ')' ? '' : valueOf(tokens))
    const next = tokens.shift()
    if (next === ')') return [...values]
    if (next !== ',') throw complaint(next ?? '', "',' or ')'")
  }
}

const complaint = (found: string, expected: string): Error =>
  new Error(`unable to parse requirement: found '${found}', expected: ${expected}`)
