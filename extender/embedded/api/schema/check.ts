import type { KubeObject } from '../../store/objects.ts'
import { badRequest } from '../errors.ts'
import { type Fields, isFields } from '../fields.ts'
import { canonical } from '../quantity.ts'
import { type Field, type Type, typeNamed, typeOfKind } from './types.ts'

/** What reading an object by its type gives. */
export type Checked = {
  /** Without unknown fields and nulls; the object itself where it has none. */
  readonly object: KubeObject
  /** Paths of unknown fields, sorted. */
  readonly unknown: readonly string[]
}

/** Reads an object as upstream's decoder does: refuses wrong types, drops what it does not know. */
export function check(object: KubeObject): Checked {
  const type = typeOfKind(object.apiVersion, object.kind)
  if (type === undefined) return { object, unknown: [] }
  const unknown: string[] = []
  const walk: Walk = { unknown, object, owner: object.kind }
  const read = readValue(type, object, '', walk) as KubeObject
  return { object: read, unknown: unknown.toSorted() }
}

type Walk = {
  readonly unknown: string[]
  readonly object: KubeObject
  /** The type that the field which is being read stands in. */
  owner: string
}

function readValue(type: Type, value: unknown, path: string, walk: Walk): unknown {
  switch (type.is) {
    case 'object':
      return isFields(value) ? readFields(type, value, path, walk) : mismatch(type, value, path, walk)
    case 'list':
      return Array.isArray(value) ? readList(type.of, value, path, walk) : mismatch(type, value, path, walk)
    case 'map':
      return isFields(value) ? readMap(type.of, value, path, walk) : mismatch(type, value, path, walk)
    case 'any':
      return value
    default:
      if (!scalars[type.is](value)) return mismatch(type, value, path, walk)
      return type.is === 'quantity' ? canonical(String(value)) : value
  }
}

/** Unchanged parts are handed on as they are: most objects are in order. */
function readFields(type: Type & { is: 'object' }, value: Fields, path: string, walk: Walk): Fields {
  let copy: Record<string, unknown> | undefined
  for (const name of Object.keys(value)) {
    const field = type.fields.get(name)
    const inner = value[name]
    if (field === undefined) walk.unknown.push(join(path, name))
    walk.owner = type.name
    const read = field !== undefined && isKept(field, inner) ? readField(field, inner, join(path, name), walk) : dropped
    if (read === inner) continue
    copy ??= { ...value }
    if (read === dropped) delete copy[name]
    else copy[name] = read
  }
  return copy ?? value
}

const dropped = Symbol('a field that does not stay')

const readField = (field: Field, value: unknown, path: string, walk: Walk): unknown =>
  value === null ? null : readValue(field.type, value, path, walk)

/** Go leaves out what is missing, and lists and maps that are empty, unless they must be there. */
function isKept({ type, required }: Field, value: unknown): boolean {
  if (value === undefined || value === null) return value === null && type.is === 'time'
  if (required) return true
  if (type.is === 'list') return !(Array.isArray(value) && value.length === 0)
  return type.is !== 'map' || !isFields(value) || Object.keys(value).length > 0
}

function readMap(of: Type, value: Fields, path: string, walk: Walk): Fields {
  let copy: Record<string, unknown> | undefined
  for (const name of Object.keys(value)) {
    const inner = value[name] === null ? empty(of) : value[name]
    // A map's entries have no path of their own in upstream's messages of types.
    const read = readValue(of, inner, of.is === 'string' ? path : `${path}.${name}`, walk)
    if (read !== value[name]) copy = { ...(copy ?? value), [name]: read }
  }
  return copy ?? value
}

function readList(of: Type, value: readonly unknown[], path: string, walk: Walk): readonly unknown[] {
  let copy: unknown[] | undefined
  for (let index = 0; index < value.length; index++) {
    const inner = value[index] === null ? empty(of) : value[index]
    const read = readValue(of, inner, of.is === 'object' ? `${path}[${index}]` : path, walk)
    if (read === value[index]) continue
    copy ??= [...value]
    copy[index] = read
  }
  return copy ?? value
}

/** What Go makes of a null. */
function empty(type: Type): unknown {
  if (type.is === 'string') return ''
  return type.is === 'object' || type.is === 'map' ? {} : null
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** As upstream's parser takes them, which is a little more than its pattern says. */
const quantityPattern = /^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/

const isInteger = (value: unknown): boolean => Number.isInteger(value)
const isString = (value: unknown): boolean => typeof value === 'string'

const scalars: Readonly<Record<Exclude<Type['is'], 'object' | 'list' | 'map' | 'any'>, (value: unknown) => boolean>> = {
  string: isString,
  int: isInteger,
  number: value => typeof value === 'number',
  bool: value => typeof value === 'boolean',
  quantity: value => typeof value === 'number' || (typeof value === 'string' && quantityPattern.test(value)),
  intstr: value => isString(value) || isInteger(value),
  time: value => typeof value === 'string' && !Number.isNaN(Date.parse(value))
}

const goNames: Readonly<Partial<Record<Type['is'], string>>> = { int: 'int64', bool: 'bool', number: 'float64' }

function goName(type: Type): string {
  if (type.is === 'object') return `v1.${type.name}`
  if (type.is === 'map') return `map[string]${goName(type.of)}`
  if (type.is === 'list') return `[]${goName(type.of)}`
  return goNames[type.is] ?? type.is
}

function mismatch(type: Type, value: unknown, path: string, { object, owner }: Walk): never {
  const { kind, apiVersion } = object
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1)
  const start = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: `
  const short = owner.slice(owner.indexOf('.') + 1)
  throw badRequest(start + complaint(type, value, `${short}.${path.replaceAll(/\[\d+\]/g, '')}`))
}

function complaint(type: Type, value: unknown, path: string): string {
  if (type.is === 'quantity')
    return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
  if (type.is === 'time') return `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse it`
  const given = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  return `json: cannot unmarshal ${given} into Go struct field ${path} of type ${goName(type)}`
}

/** The same for the metadata of a custom object, of which no more is known. */
export function checkMetadata(object: KubeObject): Checked {
  const unknown: string[] = []
  const metadata = readValue(typeNamed('ObjectMeta'), object.metadata, 'metadata', {
    unknown,
    object,
    owner: 'ObjectMeta'
  })
  return { object: { ...object, metadata: metadata as KubeObject['metadata'] }, unknown }
}
