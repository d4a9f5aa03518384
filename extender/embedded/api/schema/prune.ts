import { type Fields, fields, isFields } from '../fields.ts'

/** A custom object without what its schema does not know; the paths of that go to `unknown`. */
function prune(schema: Fields, value: unknown, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const items = fields(schema['items'])
    return value.map((entry, index) => prune(items, entry, `${path}[${index}]`, unknown))
  }
  if (!isFields(value)) return value
  const result: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(value)) {
    const here = path === '' ? name : `${path}.${name}`
    const known = propertyOf(schema, name)
    if (known !== undefined) result[name] = prune(known, inner, here, unknown)
    else if (keepsUnknown(schema)) result[name] = inner
    else unknown.push(here)
  }
  return result
}

const keepsUnknown = (schema: Fields): boolean => schema['x-kubernetes-preserve-unknown-fields'] === true

const anything: Fields = Object.freeze({ 'x-kubernetes-preserve-unknown-fields': true })
const embedded = new Set(['apiVersion', 'kind', 'metadata'])

function propertyOf(schema: Fields, name: string): Fields | undefined {
  const properties = fields(schema['properties'])
  if (Object.hasOwn(properties, name)) return fields(properties[name])
  if (schema['x-kubernetes-embedded-resource'] === true && embedded.has(name)) return anything
  const additional = schema['additionalProperties']
  if (additional === true) return anything
  return isFields(additional) ? additional : undefined
}

/** An object's own fields, which no schema of a definition need name. */
export function pruneObject(schema: Fields, object: Fields, unknown: string[]): Fields {
  const { apiVersion, kind, metadata, ...rest } = object
  return { apiVersion, kind, metadata, ...fields(prune(schema, rest, '', unknown)) }
}
