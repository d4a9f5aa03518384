import type { Problem } from '../errors.ts'
import { equal, type Fields, fields, isFields, list, texts } from '../fields.ts'
import { formats } from './formats.ts'

/** What a value says against a structural schema, in upstream's words. CEL rules are not evaluated. */
export function structuralProblems(schema: Fields, value: unknown, path: string): readonly Problem[] {
  if (value === null && schema['nullable'] === true) return []
  const type = typeProblem(schema, value, path)
  if (type !== undefined) return [type]
  return [
    ...valueProblems(schema, value, path),
    ...innerProblems(schema, value, path),
    ...logicProblems(schema, value, path)
  ]
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function typeProblem(schema: Fields, value: unknown, path: string): Problem | undefined {
  const is = typeOf(value)
  const wanted = schema['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : typesOf(schema['type'])
  if (wanted.length === 0 || wanted.includes(is) || (is === 'integer' && wanted.includes('number'))) return undefined
  const detail = `${path} in body must be of type ${wanted.join(',')}: ${JSON.stringify(is)}`
  return { field: path, type: 'typeInvalid', value: is, detail }
}

const typesOf = (type: unknown): readonly string[] => (typeof type === 'string' && type !== '' ? [type] : [])

function valueProblems(schema: Fields, value: unknown, path: string): readonly Problem[] {
  const problems: Problem[] = []
  const choices = schema['enum']
  if (Array.isArray(choices) && !choices.some(choice => equal(choice, value)))
    problems.push({
      field: path,
      type: 'unsupported',
      value,
      detail: `supported values: ${choices.map(choice => JSON.stringify(choice)).join(', ')}`
    })
  if (typeof value === 'string') problems.push(...stringProblems(schema, value, path))
  if (typeof value === 'number') problems.push(...numberProblems(schema, value, path))
  return problems
}

function stringProblems(schema: Fields, value: string, path: string): readonly Problem[] {
  const { format } = schema
  const problems = textProblems(schema, value, path)
  if (typeof format !== 'string' || formats[format]?.(value) !== false) return problems
  const detail = `${path} in body must be of type ${format}: ${JSON.stringify(value)}`
  return [...problems, { field: path, type: 'typeInvalid', value, detail }]
}

/** As upstream, only the first thing that is wrong. */
function textProblems({ minLength, maxLength, pattern }: Fields, value: string, path: string): readonly Problem[] {
  const length = Array.from(value).length
  const say = (text: string): readonly Problem[] => [
    { field: path, type: 'invalid', value, detail: `${path} in body ${text}` }
  ]
  if (typeof maxLength === 'number' && length > maxLength)
    return [{ field: path, type: 'tooLong', detail: `may not be more than ${maxLength} bytes` }]
  if (typeof minLength === 'number' && length < minLength) return say(`should be at least ${minLength} chars long`)
  const isWrong = typeof pattern === 'string' && matcher(pattern)?.test(value) === false
  return isWrong ? say(`should match '${pattern}'`) : []
}

const matchers = new Map<string, RegExp | undefined>()

/** Go's syntax of patterns is nearly JavaScript's; one that is not is not checked. */
function matcher(pattern: string): RegExp | undefined {
  if (!matchers.has(pattern)) matchers.set(pattern, compiled(pattern))
  return matchers.get(pattern)
}

function compiled(pattern: string): RegExp | undefined {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)([^]*)$/.exec(pattern) ?? []
  const source = rest.replaceAll('(?P<', '(?<').replaceAll(String.raw`\z`, '$')
  // Go lets more be escaped than JavaScript does where it counts by code points.
  for (const mode of ['u', ''])
    try {
      return new RegExp(source, flags + mode)
    } catch {
      // The next mode, or none.
    }
  return undefined
}

function numberProblems(schema: Fields, value: number, path: string): readonly Problem[] {
  const { multipleOf } = schema
  const texts = [lowProblem(schema, value), highProblem(schema, value)]
  if (typeof multipleOf === 'number' && !Number.isInteger(value / multipleOf)) texts.push(`a multiple of ${multipleOf}`)
  return texts.flatMap(text =>
    text === undefined ? [] : [{ field: path, type: 'invalid', value, detail: `${path} in body should be ${text}` }]
  )
}

function lowProblem({ minimum, exclusiveMinimum }: Fields, value: number): string | undefined {
  if (typeof minimum !== 'number') return undefined
  if (exclusiveMinimum === true) return value <= minimum ? `greater than ${minimum}` : undefined
  return value < minimum ? `greater than or equal to ${minimum}` : undefined
}

function highProblem({ maximum, exclusiveMaximum }: Fields, value: number): string | undefined {
  if (typeof maximum !== 'number') return undefined
  if (exclusiveMaximum === true) return value >= maximum ? `less than ${maximum}` : undefined
  return value > maximum ? `less than or equal to ${maximum}` : undefined
}

function innerProblems(schema: Fields, value: unknown, path: string): readonly Problem[] {
  if (Array.isArray(value)) return arrayProblems(schema, value, path)
  return isFields(value) ? objectProblems(schema, value, path) : []
}

function arrayProblems(schema: Fields, value: readonly unknown[], path: string): readonly Problem[] {
  const { items, minItems, maxItems } = schema
  const inner = value.flatMap((entry, index) => structuralProblems(fields(items), entry, `${path}[${index}]`))
  const problems: Problem[] = [...inner]
  if (typeof minItems === 'number' && value.length < minItems)
    problems.push({
      field: path,
      type: 'invalid',
      value: value.length,
      detail: `${path} in body should have at least ${minItems} items`
    })
  if (typeof maxItems === 'number' && value.length > maxItems)
    problems.push({ field: path, type: 'tooMany', detail: `must have at most ${maxItems} items`, value: value.length })
  return [...problems, ...duplicateProblems(schema, value, path)]
}

function duplicateProblems(schema: Fields, value: readonly unknown[], path: string): readonly Problem[] {
  const kind = schema['x-kubernetes-list-type']
  if (kind !== 'set' && kind !== 'map' && schema['uniqueItems'] !== true) return []
  const keys = texts(schema['x-kubernetes-list-map-keys'])
  const idOf = (entry: unknown): unknown =>
    kind === 'map' ? Object.fromEntries(keys.map(key => [key, fields(entry)[key] ?? null])) : entry
  const seen = new Set<string>()
  return value.flatMap((entry, index): readonly Problem[] => {
    const id = JSON.stringify(idOf(entry))
    if (!seen.has(id)) return seen.add(id) && []
    return [{ field: `${path}[${index}]`, type: 'duplicate', value: idOf(entry) }]
  })
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

function objectProblems(schema: Fields, value: Fields, path: string): readonly Problem[] {
  const properties = fields(schema['properties'])
  const additional = schema['additionalProperties']
  const own = schema['x-kubernetes-embedded-resource'] === true ? ['apiVersion', 'kind'] : []
  const missing = [...own, ...texts(schema['required'])].filter(name => value[name] === undefined)
  const problems: Problem[] = missing.map(name => ({ field: join(path, name), type: 'required' }))
  for (const [name, inner] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : additional
    if (isFields(property) && inner !== undefined)
      problems.push(...structuralProblems(property, inner, join(path, name)))
  }
  return [...problems, ...sizeProblems(schema, value, path)]
}

function sizeProblems(schema: Fields, value: Fields, path: string): readonly Problem[] {
  const { minProperties, maxProperties } = schema
  const size = Object.keys(value).length
  const say = (text: string): readonly Problem[] => [
    { field: path, type: 'invalid', value: size, detail: `${path} in body ${text}` }
  ]
  if (typeof minProperties === 'number' && size < minProperties)
    return say(`should have at least ${minProperties} properties`)
  if (typeof maxProperties === 'number' && size > maxProperties)
    return [{ field: path, type: 'tooMany', detail: `must have at most ${maxProperties} items`, value: size }]
  return []
}

function logicProblems(schema: Fields, value: unknown, path: string): readonly Problem[] {
  const meets = (part: Fields): boolean => structuralProblems(part, value, path).length === 0
  const [all, any, one] = [list(schema['allOf']), list(schema['anyOf']), list(schema['oneOf'])]
  const problems: Problem[] = all.flatMap(part => structuralProblems(part, value, path))
  const say = (text: string): number =>
    problems.push({ field: path, type: 'invalid', value, detail: `${JSON.stringify(path)} ${text}` })
  if (any.length > 0 && !any.some(meets)) say('must validate at least one schema (anyOf)')
  if (one.length > 0 && one.filter(meets).length !== 1) say('must validate one and only one schema (oneOf)')
  if (isFields(schema['not']) && meets(schema['not'])) say('must not validate the schema (not)')
  return problems
}
