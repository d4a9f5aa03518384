import { type Fields, fields, isFields, texts } from './fields.ts'
import type { Type } from './schema/types.ts'

/** What server-side apply must know of a value's type. */
type Shape = {
  field(name: string): Shape | undefined
  readonly item: Shape | undefined
  /** Fields that tell a list's entries apart, `*` for a set; none where a list is replaced. */
  readonly keys: readonly string[]
  readonly atomic: boolean
}

/** Server-side apply without ownership: merges maps, and lists by the keys of their entries; replaces the rest. */
export function applyMerge(shape: Shape | undefined, document: unknown, patch: unknown): unknown {
  if (Array.isArray(patch)) return mergeList(shape, Array.isArray(document) ? document : [], patch)
  if (!isFields(patch) || shape?.atomic === true) return patch
  const result: Record<string, unknown> = { ...fields(document) }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = applyMerge(shape?.field(name), result[name], value)
  }
  return result
}

function mergeList(
  shape: Shape | undefined,
  document: readonly unknown[],
  patch: readonly unknown[]
): readonly unknown[] {
  const keys = shape?.keys ?? []
  if (keys.length === 0) return patch
  const idOf = (entry: unknown): string =>
    JSON.stringify(keys[0] === '*' ? entry : keys.map(key => fields(entry)[key] ?? usual[key]))
  const before = new Map(document.map(entry => [idOf(entry), entry]))
  const applied = patch.map(entry => ({
    id: idOf(entry),
    entry: applyMerge(shape?.item, before.get(idOf(entry)), entry)
  }))
  return inOrder(
    document.map(entry => ({ id: idOf(entry), entry })),
    applied
  )
}

type Entry = { readonly id: string; readonly entry: unknown }

/** Upstream's order: that of what is applied, and the others where they stood before the next of those. */
function inOrder(document: readonly Entry[], applied: readonly Entry[]): readonly unknown[] {
  const named = new Set(applied.map(({ id }) => id))
  const known = new Set(document.map(({ id }) => id))
  const result: Entry[] = []
  let place = 0
  const passOthers = (next: string | undefined): void => {
    for (let here = document[place]; here !== undefined && here.id !== next; here = document[++place])
      if (!named.has(here.id)) result.push(here)
  }
  for (const [index, entry] of applied.entries()) {
    passOthers(applied.slice(index).find(({ id }) => known.has(id))?.id)
    result.push(entry)
    if (document[place]?.id === entry.id) place++
  }
  passOthers(undefined)
  return result.map(({ entry }) => entry)
}

/** The defaults of keys that may be left out. */
const usual: Readonly<Record<string, string>> = { protocol: 'TCP' }

/** The shape of a built-in type. */
export function shapeOfType(type: Type | undefined): Shape | undefined {
  if (type === undefined) return undefined
  return {
    field: name =>
      shapeOfType(type.is === 'object' ? type.fields.get(name)?.type : type.is === 'map' ? type.of : undefined),
    get item() {
      return type.is === 'list' ? shapeOfType(type.of) : undefined
    },
    keys: type.is === 'list' ? type.applyKeys : [],
    atomic: false
  }
}

/** The shape of a structural schema. */
export function shapeOfSchema(schema: Fields | undefined): Shape | undefined {
  if (schema === undefined) return undefined
  const kind = schema['x-kubernetes-list-type']
  return {
    field: name => shapeOfSchema(fieldOf(schema, name)),
    get item() {
      return shapeOfSchema(fields(schema['items']))
    },
    keys: kind === 'map' ? texts(schema['x-kubernetes-list-map-keys']) : kind === 'set' ? ['*'] : [],
    atomic: schema['x-kubernetes-map-type'] === 'atomic'
  }
}

function fieldOf(schema: Fields, name: string): Fields | undefined {
  const property = fields(schema['properties'])[name] ?? schema['additionalProperties']
  return isFields(property) ? property : undefined
}
