import type { KubeObject, StatusError } from '../store/objects.ts'
import { badRequest, invalid } from './errors.ts'
import { intoOf } from './events.ts'
import { type Fields, fields, isFields, text } from './fields.ts'
import { groupVersion, apiVersionOf, type Resource } from './resource.ts'
import { check, checkMetadata } from './schema/check.ts'
import { pruneObject } from './schema/prune.ts'
import { typeOfKind } from './schema/types.ts'
import { strategyOf } from './strategies.ts'
import type { WriteOptions } from './types.ts'

/** What was written as an object of a resource, as it is stored: typed, without unknown fields, with its defaults. */
export function decode(resource: Resource, given: unknown, options: WriteOptions): KubeObject {
  const object = typed(resource, given)
  const { object: read, unknown } = resource.custom === undefined ? check(object) : readCustom(resource, object)
  if (unknown.length > 0) tell(object, unknown, options)
  const apiVersion = apiVersionOf(resource)
  const stored = read.apiVersion === apiVersion ? read : { ...read, apiVersion }
  return strategyOf(resource).defaults(intoOf(resource)(stored), resource)
}

/** The object with its type, which may be left out; throws where it says another. */
function typed(resource: Resource, given: unknown): KubeObject {
  if (!isFields(given)) throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind})`)
  const { apiVersion = apiVersionOf(resource), kind = resource.kind } = given as Partial<KubeObject>
  const { group, version } = groupVersion(apiVersion)
  const isServed = group === resource.group && resource.versions.includes(version)
  if (!isServed || kind !== resource.kind) throw mistyped(resource, { apiVersion, kind, given })
  return { ...given, apiVersion, kind, metadata: given['metadata'] ?? {} } as KubeObject
}

type Typed = { readonly apiVersion: string; readonly kind: string; readonly given: Fields }

/** What upstream says of an object that is none of the resource. */
function mistyped(resource: Resource, { apiVersion, kind, given }: Typed): StatusError {
  const { group, version } = groupVersion(apiVersion)
  if (resource.custom !== undefined && group === resource.group && resource.versions.includes(version)) {
    const problem = { field: 'kind', type: 'invalid', value: kind, detail: `must be ${resource.kind}` } as const
    return invalid({ ...resource, kind }, text(fields(given['metadata'])['name']) ?? '', [problem])
  }
  const isKnown = typeOfKind(apiVersion, kind) !== undefined
  if (resource.custom !== undefined || (isKnown && kind === resource.kind))
    return badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(resource)})`
    )
  const start = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${resource.kind}: `
  const internal = resource.group === '' ? 'core' : resource.group.split('.')[0]
  return badRequest(
    isKnown
      ? `${start}converting (${version}.${kind}) to (${internal}.${resource.kind}): unknown conversion`
      : `${start}no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`
  )
}

function readCustom(resource: Resource, given: KubeObject): ReturnType<typeof check> {
  const { object: checked, unknown: inMetadata } = checkMetadata(given)
  const { version } = groupVersion(given.apiVersion)
  const schema = resource.custom?.versions[version]?.schema
  if (schema === undefined) return { object: checked, unknown: inMetadata }
  const unknown = [...inMetadata]
  const object = pruneObject(fields(schema), checked, unknown) as KubeObject
  return { object, unknown: unknown.toSorted() }
}

function tell({ kind, apiVersion }: KubeObject, unknown: readonly string[], options: WriteOptions): void {
  const complaints = unknown.map(path => `unknown field ${JSON.stringify(path)}`)
  if (options.fieldValidation === 'Warn') for (const complaint of complaints) options.warn?.(complaint)
  if (options.fieldValidation !== 'Strict') return
  const { version } = groupVersion(apiVersion)
  const start = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`
  throw badRequest(`${start}: strict decoding error: ${complaints.join(', ')}`)
}
