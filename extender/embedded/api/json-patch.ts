import type { Json } from '../store/objects.ts'
import { badRequest } from './errors.ts'
import { equal, fields, isFields } from './fields.ts'
import { StatusError } from '../store/objects.ts'

type Step = (document: unknown, operation: Readonly<Record<string, unknown>>) => unknown

const steps: Readonly<Record<string, Step>> = {
  add: (document, { path, value }) => put(document, pointer(path), value, 'add'),
  remove: (document, { path }) => take(document, pointer(path)),
  replace: (document, { path, value }) => put(document, pointer(path), value, 'replace'),
  move: (document, { from, path }) => {
    const value = find(document, pointer(from))
    return put(take(document, pointer(from)), pointer(path), value, 'add')
  },
  // As upstream's library, which takes what is not there for null.
  copy: (document, { from, path }) => put(document, pointer(path), find(document, pointer(from), true), 'add'),
  test: (document, { path, value }) => {
    if (!equal(find(document, pointer(path), true) ?? null, value ?? null))
      throw failed(`testing value ${String(path)} failed`)
    return document
  }
}

/** RFC 6902; answers a new document. The first operation that cannot be done refuses the whole patch. */
export function jsonPatch(document: Json, patch: Json): Json {
  if (!Array.isArray(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp')
  if (patch.length > 10_000) throw tooManyOperations(patch.length)
  let result: unknown = document
  for (const operation of patch) {
    if (!isFields(operation))
      throw badRequest('error decoding patch: json: cannot unmarshal value into Go value of type handlers.jsonPatchOp')
    const { op } = fields(operation)
    const step = typeof op === 'string' && Object.hasOwn(steps, op) ? steps[op] : undefined
    if (step === undefined) throw failed(`Unexpected kind: ${String(op)}`)
    result = step(result, fields(operation))
  }
  return result as Json
}

const failed = (reason: string): StatusError =>
  new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {
    causes: [{ reason: 'UnexpectedServerResponse', message: reason }]
  })

const tooManyOperations = (count: number): StatusError =>
  new StatusError(
    413,
    'RequestEntityTooLarge',
    `Request entity too large: The allowed maximum operations in a JSON patch is 10000, got ${count}`
  )

function pointer(path: unknown): readonly string[] {
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/'))) throw failed(`bad path: ${String(path)}`)
  return path
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** What stands at a path; undefined where nothing does. */
function lookup(document: unknown, path: readonly string[]): unknown {
  let here = document
  for (const step of path) {
    if (Array.isArray(here)) here = (here as unknown[])[indexOf(here, step)]
    else here = isFields(here) && Object.hasOwn(here, step) ? here[step] : undefined
  }
  return here
}

/** The same; throws where nothing does. With `mayLack`, a field that an object has not is only undefined. */
function find(document: unknown, path: readonly string[], mayLack = false): unknown {
  const value = lookup(document, path)
  const isLacking = mayLack && path.length > 0 && isFields(lookup(document, path.slice(0, -1)))
  if (value === undefined && !isLacking) throw failed(`missing value at ${path.join('/')}`)
  return value
}

function put(document: unknown, path: readonly string[], value: unknown, how: 'add' | 'replace'): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value ?? null
  if (Array.isArray(document)) return putInArray(document, step, { rest, value, how })
  if (!isFields(document)) throw failed(`doc is missing path: /${path.join('/')}`)
  // As upstream's library, a replacement of what is not there adds it.
  if (!Object.hasOwn(document, step) && rest.length > 0)
    throw failed(`${how} operation does not apply: doc is missing path: /${path.join('/')}`)
  return { ...document, [step]: rest.length === 0 ? (value ?? null) : put(document[step], rest, value, how) }
}

type Put = { readonly rest: readonly string[]; readonly value: unknown; readonly how: 'add' | 'replace' }

function putInArray(document: readonly unknown[], step: string, { rest, value, how }: Put): unknown {
  if (rest.length > 0)
    return document.with(existing(document, step), put(document[existing(document, step)], rest, value, how))
  if (how === 'replace') return document.with(existing(document, step), value ?? null)
  // As upstream's library, -1 is the end: the place of the new entry counts.
  const index = step === '-' ? document.length : indexOf([...document, value], step)
  if (index > document.length || index < 0) throw failed(`invalid index ${step}`)
  return document.toSpliced(index, 0, value ?? null)
}

function take(document: unknown, path: readonly string[]): unknown {
  const [step, ...rest] = path
  if (step === undefined) return null
  if (Array.isArray(document)) {
    const index = existing(document, step)
    return rest.length === 0 ? document.toSpliced(index, 1) : document.with(index, take(document[index], rest))
  }
  if (!isFields(document) || !Object.hasOwn(document, step))
    throw failed(`remove operation does not apply: doc is missing path: /${path.join('/')}`)
  const { [step]: child, ...others } = document
  return rest.length === 0 ? others : { ...document, [step]: take(child, rest) }
}

/** An index as RFC 6901 spells it; -1 counts as upstream's library does: from the end. */
function indexOf(array: readonly unknown[], step: string): number {
  if (!/^(0|-?[1-9]\d*)$/.test(step)) return -1
  const index = Number(step)
  return index < 0 ? index + array.length : index
}

function existing(array: readonly unknown[], step: string): number {
  const index = indexOf(array, step)
  if (index < 0 || index >= array.length) throw failed(`invalid index ${step}`)
  return index
}
