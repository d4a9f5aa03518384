import type { Matcher } from './store.ts'

/** One condition on labels. */
export type Requirement = {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
  readonly values: readonly string[]
}

/** Whether labels meet all conditions; a missing key meets the negative ones. */
function meets(labels: Readonly<Record<string, string>>, requirements: readonly Requirement[]): boolean {
  return requirements.every(requirement => meetsOne(labels, requirement))
}

type Test = (value: string | undefined, values: readonly string[]) => boolean

const tests: Readonly<Record<Requirement['operator'], Test>> = {
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

function meetsOne(labels: Readonly<Record<string, string>>, { key, operator, values }: Requirement): boolean {
  const test = Object.hasOwn(tests, operator) ? tests[operator] : () => false
  return test(Object.hasOwn(labels, key) ? labels[key] : undefined, values)
}

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
  return object => meets(object.metadata.labels ?? {}, requirements)
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

type Reading = readonly [Requirement['operator'], (tokens: string[], selector: string) => readonly string[]]

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

/** A `metav1.LabelSelector` as conditions; a missing one selects nothing and is undefined. */
function requirementsOf(selector: unknown): readonly Requirement[] | undefined {
  if (typeof selector !== 'object' || selector === null) return undefined
  const { matchLabels = {}, matchExpressions = [] } = selector as {
    readonly matchLabels?: Readonly<Record<string, string>>
    readonly matchExpressions?: readonly {
      key: string
      operator: Requirement['operator']
      values?: readonly string[]
    }[]
  }
  const labels = Object.entries(matchLabels).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] })
  )
  return [...labels, ...matchExpressions.map(({ key, operator, values = [] }) => ({ key, operator, values }))]
}

/** Whether a `metav1.LabelSelector` selects these labels. */
export function labelSelectorMatches(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  const requirements = requirementsOf(selector)
  return requirements !== undefined && meets(labels, requirements)
}
