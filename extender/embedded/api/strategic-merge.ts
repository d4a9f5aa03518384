import { StatusError } from '../store/objects.ts'
import { equal, type Fields, fields, isFields } from './fields.ts'
import type { ListType, Type } from './schema/types.ts'

/**
 * Kubernetes' strategic merge: like RFC 7386, but lists whose entries have a key are merged entry by entry, and
 * directives in the patch say what else is meant: `$patch` (replace, delete, merge), `$deleteFromPrimitiveList/…`,
 * `$setElementOrder/…` and `$retainKeys`.
 */
export function strategicMerge(type: Type | undefined, document: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch
  return mergeFields(type, fields(document), patch)
}

const deletion = '$deleteFromPrimitiveList/'
const order = '$setElementOrder/'

function mergeFields(type: Type | undefined, document: Fields, patch: Fields): Fields {
  const { $patch: directive, $retainKeys: retained, ...rest } = patch
  if (directive === 'replace') return stripped(rest)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') throw bad(`Unknown patch type: ${String(directive)}`)
  const result: Record<string, unknown> = { ...document }
  if (Array.isArray(retained)) retain(result, rest, retained)
  for (const [name, value] of Object.entries(rest)) {
    if (name.startsWith(deletion) || name.startsWith(order)) continue
    mergeField(fieldType(type, name), result, name, value)
  }
  for (const [name, value] of Object.entries(rest)) applyDirective(type, result, name, value)
  return result
}

function mergeField(type: Type | undefined, result: Record<string, unknown>, name: string, value: unknown): void {
  if (value === null) delete result[name]
  else if (Array.isArray(value)) result[name] = mergeList(type, listOf(result[name]), value)
  else if (isFields(value)) result[name] = mergeFields(type, fields(result[name]), value)
  else result[name] = value
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function fieldType(type: Type | undefined, name: string): Type | undefined {
  if (type?.is === 'object') return type.fields.get(name)?.type
  return type?.is === 'map' ? type.of : undefined
}

/** `$retainKeys` names all fields that stay, those of the patch included. */
function retain(result: Record<string, unknown>, patch: Fields, retained: readonly unknown[]): void {
  const missing = Object.keys(patch).find(name => !name.startsWith('$') && !retained.includes(name))
  if (missing !== undefined) throw bad('directive $retainKeys must list all the fields of the patch')
  for (const name of Object.keys(result)) if (!retained.includes(name)) delete result[name]
}

function applyDirective(type: Type | undefined, result: Record<string, unknown>, name: string, value: unknown): void {
  if (name.startsWith(deletion)) {
    const field = name.slice(deletion.length)
    const gone = listOf(value)
    if (Array.isArray(result[field])) result[field] = result[field].filter(entry => !gone.includes(entry))
  }
  if (name.startsWith(order)) {
    const field = name.slice(order.length)
    const list = fieldType(type, field)
    if (Array.isArray(result[field])) result[field] = ordered(list, result[field], listOf(value))
  }
}

function mergeList(type: Type | undefined, document: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  if (patch.some(entry => isFields(entry) && entry['$patch'] === 'replace'))
    return patch.filter(entry => !isFields(entry) || entry['$patch'] === undefined)
  if (type?.is !== 'list' || type.mergeKey === undefined) return patch.map(stripped)
  if (type.mergeKey === '*') return [...document, ...patch.filter(entry => !document.includes(entry))]
  return mergeKeyed(type, type.mergeKey, document, patch)
}

function mergeKeyed(type: ListType, key: string, document: readonly unknown[], patch: readonly unknown[]): readonly unknown[] {
  let result = [...document]
  for (const entry of patch) {
    if (!isFields(entry)) throw bad('an entry of a list that is merged by key is no object')
    const value = entry[key]
    if (value === undefined) throw bad(`map: ${JSON.stringify(entry)} does not contain declared merge key: ${key}`)
    const same = (other: unknown): boolean => equal(fields(other)[key], value)
    const index = result.findIndex(same)
    if (entry['$patch'] === 'delete') result = result.filter(other => !same(other))
    else if (index < 0) result.push(mergeFields(type.of, {}, entry))
    else result[index] = mergeFields(type.of, fields(result[index]), entry)
  }
  return result
}

/**
 * The entries that `$setElementOrder` names in its order; those that it does not name stay behind the one that they
 * followed before.
 */
function ordered(type: Type | undefined, list: readonly unknown[], wanted: readonly unknown[]): readonly unknown[] {
  const key = type?.is === 'list' ? type.mergeKey : undefined
  const idOf = (entry: unknown): unknown => (key === undefined || key === '*' ? entry : fields(entry)[key])
  const place = new Map(wanted.map((entry, index) => [idOf(entry), index]))
  const named = list.filter(entry => place.has(idOf(entry)))
  named.sort((one, other) => (place.get(idOf(one)) ?? 0) - (place.get(idOf(other)) ?? 0))
  const result = [...named]
  let after = 0
  for (const entry of list) {
    if (place.has(idOf(entry))) after = result.indexOf(entry) + 1
    else result.splice(after++, 0, entry)
  }
  return result
}

/** A value that is new has nothing to be merged with: its directives only go. */
function stripped(value: unknown): Fields
function stripped(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter(entry => fields(entry)['$patch'] === undefined).map(stripped)
  if (!isFields(value)) return value
  const kept = Object.entries(value).filter(([name, inner]) => !name.startsWith('$') && inner !== null)
  return Object.fromEntries(kept.map(([name, inner]) => [name, stripped(inner)]))
}

const bad = (message: string): StatusError => new StatusError(400, 'BadRequest', message)
