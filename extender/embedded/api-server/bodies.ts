import { parseDocument } from 'yaml'
import { apiVersionOf } from '../api/resource.ts'
import type { PatchType } from '../store/client.ts'
import { type Json, type KubeObject, StatusError } from '../store/objects.ts'
import { record } from './fields.ts'
import { fromProtobuf } from './protobuf/decode.ts'
import type { Target } from './target.ts'

const json = new Set(['application/json', ''])
const yaml = new Set(['application/yaml', 'application/vnd.yaml', 'text/yaml', 'application/x-yaml'])
const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply'
}

/** The bytes of a request and what they are said to be. */
export type Body = { readonly type: string; readonly bytes: Buffer }

function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

/** A content type without its parameters. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

/** Reads JSON, YAML or protobuf; throws 400 for what is neither and 415 for what is said to be something else. */
export function parsed({ type, bytes }: Body): unknown {
  if (json.has(type)) return fromJson(bytes)
  if (yaml.has(type)) return fromYaml(bytes)
  if (type === 'application/vnd.kubernetes.protobuf') return fromProtobuf(bytes)
  throw new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml; it was ${type}`
  )
}

function fromJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch (error) {
    throw badRequest(
      `the object provided is unrecognized: couldn't get version/kind; json parse error: ${reason(error)}`
    )
  }
}

function fromYaml(bytes: Buffer): unknown {
  const document = parseDocument(bytes.toString('utf8'))
  const [error] = document.errors
  if (error) throw badRequest(`error converting YAML to JSON: ${error.message.split('\n')[0] ?? ''}`)
  return document.toJS() as unknown
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The options in the body of a DELETE, which may be empty. */
export function optionsIn(body: Body): Readonly<Record<string, unknown>> {
  return body.bytes.length === 0 ? {} : record(parsed(body))
}

/** A patch and its type. */
export function patchIn({ type, bytes }: Body): { readonly type: PatchType; readonly patch: Json } {
  const patchType = patchTypes[type]
  if (patchType === undefined)
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`
    )
  const patch = patchType === 'apply' ? fromYaml(bytes) : fromJson(bytes)
  return { type: patchType, patch: patch as Json }
}

/** An object that stands for the target: what its path says is filled in, what contradicts the path is refused. */
export function objectIn(body: Body, target: Target): KubeObject {
  const { resource, version } = target
  return placed(typed(parsed(body), apiVersionOf(resource, version), resource.kind), target)
}

/** An object of this type; what does not name its type is taken for one. */
export function typed(value: unknown, apiVersion: string, kind: string): KubeObject {
  const object = record(value)
  if (object !== value) throw badRequest('the object provided is unrecognized: it is no JSON object')
  const given = { apiVersion: object.apiVersion ?? apiVersion, kind: object.kind ?? kind }
  if (given.kind !== kind || given.apiVersion !== apiVersion)
    throw badRequest(
      `${JSON.stringify(given.kind)} in version ${JSON.stringify(given.apiVersion)} cannot be handled as a ${kind} in version ${JSON.stringify(apiVersion)}`
    )
  if (typeof object.metadata !== 'object' && object.metadata !== undefined)
    throw badRequest(`${kind}: metadata must be an object`)
  return { ...object, ...given, metadata: record(object.metadata) as KubeObject['metadata'] } as KubeObject
}

/** The object with the name and namespace of its path. */
export function placed(object: KubeObject, { resource, namespace, name }: Target): KubeObject {
  const { metadata } = object
  if (name !== undefined && metadata.name !== undefined && metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
  if (resource.namespaced && metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  return {
    ...object,
    metadata: { ...metadata, ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) }
  }
}
