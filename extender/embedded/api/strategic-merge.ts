import { StatusError } from '../store/objects.ts'
import { badRequest } from './errors.ts'
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
  if (directive !== undefined && directive !== 'merge')
    throw internal(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`)
  const result: Record<string, unknown> = { ...document }
  if (Array.isArray(retained)) retain(result, rest, retained)
  for (const [name, value] of Object.entries(rest))
    if (!name.startsWith(deletion) && !name.startsWith(order)) mergeField(fieldType(type, name), result, name, value)
  directLists(type, { result, document, patch: rest })
  return result
}

type Merging = { readonly result: Record<string, unknown>; readonly document: Fields; readonly patch: Fields }

/** What the patch says of lists besides their entries. */
function directLists(type: Type | undefined, merging: Merging): void {
  for (const [name, value] of Object.entries(merging.patch)) {
    if (name.startsWith(deletion)) deleteEntries(merging.result, name.slice(deletion.length), entriesOf(value))
    const field = name.slice(order.length)
    if (name.startsWith(order)) orderEntries(fieldType(type, field), merging, field, entriesOf(value))
  }
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
  const missing = Object.keys(patch).find(
    name => !name.startsWith('$') && patch[name] !== null && !retained.includes(name)
  )
  if (missing !== undefined) throw badRequest('invalid patch format of retainKeys')
  for (const name of Object.keys(result)) if (!retained.includes(name)) delete result[name]
}

function entriesOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw internal(`expected a []interface {}, but received a ${goKind(value)}`)
  return value
}

function deleteEntries(result: Record<string, unknown>, field: string, gone: readonly unknown[]): void {
  if (Array.isArray(result[field])) result[field] = result[field].filter(entry => !gone.includes(entry))
}

function orderEntries(
  type: Type | undefined,
  { result, document, patch }: Merging,
  field: string,
  wanted: readonly unknown[]
): void {
  const key = type?.is === 'list' ? (type.mergeKey ?? '*') : '*'
  checkOrder(key, listOf(patch[field]), wanted)
  if (Array.isArray(result[field])) result[field] = ordered(key, result[field], wanted, listOf(document[field]))
}

/** Throws where an order leaves out what the patch adds or changes, or names it in another order. */
function checkOrder(key: string, patch: readonly unknown[], wanted: readonly unknown[]): void {
  const left = patch.filter(entry => fields(entry)['$patch'] !== 'delete').map(entry => idOf(key, entry))
  for (const entry of wanted) if (equal(idOf(key, entry), left[0])) left.shift()
  if (left.length > 0)
    throw internal(`The order in patch list:\n${goText(patch)}\n doesn't match ${order} list:\n${goText(wanted)}\n`)
}

/** What tells the entries of a list apart. */
const idOf = (key: string, entry: unknown): unknown => (key === '*' ? entry : fields(entry)[key])

function mergeList(
  type: Type | undefined,
  document: readonly unknown[],
  patch: readonly unknown[]
): readonly unknown[] {
  if (patch.some(entry => isFields(entry) && entry['$patch'] === 'replace'))
    return patch.filter(entry => !isFields(entry) || entry['$patch'] === undefined)
  if (type?.is !== 'list' || type.mergeKey === undefined) return patch.map(stripped)
  if (type.mergeKey !== '*') return mergeKeyed(type, type.mergeKey, document, patch)
  return ordered('*', [...document, ...patch.filter(entry => !document.includes(entry))], patch, document)
}

function mergeKeyed(
  type: ListType,
  key: string,
  document: readonly unknown[],
  patch: readonly unknown[]
): readonly unknown[] {
  let result = [...document]
  for (const entry of patch) {
    const value = fields(entry)[key]
    if (!isFields(entry) || value === undefined)
      throw internal(`map: ${goText(entry)} does not contain declared merge key: ${key}`)
    const same = (other: unknown): boolean => equal(fields(other)[key], value)
    const index = result.findIndex(same)
    if (entry['$patch'] === 'delete') result = result.filter(other => !same(other))
    else if (index < 0) result.push(mergeFields(type.of, {}, entry))
    else result[index] = mergeFields(type.of, fields(result[index]), entry)
  }
  return ordered(key, result, patch, document)
}

/**
 * Upstream's order of a merged list: the entries that the patch names in its order, and the others before the first of
 * those that they preceded in the document; what has no such place comes last.
 */
function ordered(
  key: string,
  list: readonly unknown[],
  wanted: readonly unknown[],
  document: readonly unknown[]
): readonly unknown[] {
  const [named, before] = [placesOf(key, wanted), placesOf(key, document)]
  const place = (places: ReadonlyMap<unknown, number>, entry: unknown): number => places.get(idOf(key, entry)) ?? -1
  const patched = list
    .filter(entry => named.has(idOf(key, entry)))
    .toSorted((one, other) => place(named, one) - place(named, other))
  const others = list.filter(entry => !named.has(idOf(key, entry)))
  const result: unknown[] = []
  for (const entry of patched) {
    const end = place(before, entry)
    while (others.length > 0 && place(before, others[0]) < end) result.push(others.shift())
    result.push(entry)
  }
  return [...result, ...others]
}

const placesOf = (key: string, entries: readonly unknown[]): ReadonlyMap<unknown, number> =>
  new Map(entries.map((entry, index) => [idOf(key, entry), index]))

/** A value that is new has nothing to be merged with: its directives only go. */
function stripped(value: unknown): Fields
function stripped(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter(entry => fields(entry)['$patch'] === undefined).map(stripped)
  if (!isFields(value)) return value
  const kept = Object.entries(value).filter(([name, inner]) => !name.startsWith('$') && inner !== null)
  return Object.fromEntries(kept.map(([name, inner]) => [name, stripped(inner)]))
}

/** Upstream answers 500 where a patch is not what its type wants. */
const internal = (message: string): StatusError => new StatusError(500, '', message)

const goKind = (value: unknown): string =>
  typeof value === 'number' ? 'int64' : isFields(value) ? 'map[string]interface {}' : typeof value

/** A value as Go prints it. */
function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (!isFields(value)) return String(value)
  const names = Object.keys(value).toSorted()
  return `map[${names.map(name => `${name}:${goText(value[name])}`).join(' ')}]`
}
