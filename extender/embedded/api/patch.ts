import { type Json, type KubeObject, StatusError } from '../store/objects.ts'
import { applyMerge, shapeOfSchema, shapeOfType } from './apply-merge.ts'
import { badRequest } from './errors.ts'
import { type Fields, fields, isFields, text } from './fields.ts'
import { jsonPatch } from './json-patch.ts'
import { mergePatch } from './merge-patch.ts'
import { groupVersion, type Resource } from './resource.ts'
import { check } from './schema/check.ts'
import { typeNamed, typeOfKind } from './schema/types.ts'
import { strategicMerge } from './strategic-merge.ts'
import type { PatchOptions } from './types.ts'

/** The object as a patch changes it. */
export function patched(resource: Resource, object: KubeObject, patch: Json, options: PatchOptions): KubeObject {
  const { type = 'merge' } = options
  if (type !== 'json' && !isFields(patch))
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${kindOf(patch)} into Go value of type map[string]interface {}`
    )
  const result = apply(resource, object, patch, options)
  if (!isFields(result) || !isFields(result['metadata'])) throw badRequest('the patch leaves no object')
  return result as KubeObject
}

const kindOf = (value: Json): string => (Array.isArray(value) ? 'array' : typeof value)

function apply(resource: Resource, object: KubeObject, patch: Json, { type = 'merge' }: PatchOptions): unknown {
  switch (type) {
    case 'json':
      return jsonPatch(object as unknown as Json, patch)
    case 'merge':
      return mergePatch(object, patch)
    case 'strategic':
      if (resource.custom !== undefined) throw unsupported()
      return strategicMerge(typeOfKind(object.apiVersion, object.kind), object, patch)
    case 'apply':
      return applied(resource, object, fields(patch))
  }
}

function unsupported(): StatusError {
  const types = ['json-patch+json', 'merge-patch+json', 'apply-patch+yaml'].map(type => `application/${type}`)
  const message = `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`
  return new StatusError(415, 'UnsupportedMediaType', message)
}

function applied(resource: Resource, object: KubeObject, patch: Fields): unknown {
  const metadata = fields(patch['metadata'])
  if (!patch['kind'] || !patch['apiVersion'])
    throw badRequest(`invalid object type: /, Kind=${text(patch['kind']) ?? ''}`)
  if (metadata['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil')
  if (resource.custom === undefined) {
    checkApplied(resource, patch)
    return applyMerge(shapeOfType(typeOfKind(object.apiVersion, object.kind)), object, patch)
  }
  const { version } = groupVersion(object.apiVersion)
  const { metadata: _, ...rest } = patch
  const merged = applyMerge(shapeOfSchema(resource.custom.versions[version]?.schema), object, rest)
  return { ...fields(merged), metadata: applyMerge(shapeOfType(typeNamed('ObjectMeta')), object.metadata, metadata) }
}

/** An applied object is typed: what its type does not know refuses it, whatever the field validation. */
export function checkApplied(resource: Resource, patch: Fields): void {
  if (resource.custom !== undefined) return
  const version = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  const gv = resource.group === '' ? `/${version}` : version
  const { unknown } = check({ apiVersion: version, kind: resource.kind, ...patch } as KubeObject)
  if (unknown.length === 0) return
  const start = `failed to create typed patch object (/; ${gv}, Kind=${resource.kind}): `
  const complaints = unknown.map(path => `.${path}: field not declared in schema`)
  const all = complaints.length === 1 ? complaints[0] : `errors:\n${complaints.map(each => `  ${each}`).join('\n')}`
  throw new StatusError(500, '', `${start}${all}`)
}

/** A patch whose result is no object of its type is what is invalid. */
export function refusePatch(error: unknown, patch: Json): never {
  if (!(error instanceof StatusError) || error.reason !== 'BadRequest') throw error
  const said = error.message.replace(/^.* cannot be handled as a [^:]*: /, '')
  const cause = `Invalid value: ${JSON.stringify(JSON.stringify(patch))}: ${said}`
  const causes = [{ reason: 'FieldValueInvalid', message: cause, field: 'patch' }]
  throw new StatusError(422, 'Invalid', ` "" is invalid: patch: ${cause}`, { causes })
}
