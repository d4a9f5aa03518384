import { type KubeObject, StatusError } from '../store/objects.ts'
import type { Resource } from './resource.ts'

/** What is wrong with one field, in upstream's words. */
export type Problem = {
  readonly field: string
  readonly type: keyof typeof problemTypes
  readonly detail?: string
  readonly value?: unknown
}

const problemTypes = {
  required: ['FieldValueRequired', 'Required value'],
  invalid: ['FieldValueInvalid', 'Invalid value'],
  forbidden: ['FieldValueForbidden', 'Forbidden'],
  duplicate: ['FieldValueDuplicate', 'Duplicate value'],
  unsupported: ['FieldValueNotSupported', 'Unsupported value'],
  notFound: ['FieldValueNotFound', 'Not found'],
  tooLong: ['FieldValueTooLong', 'Too long'],
  tooMany: ['FieldValueTooMany', 'Too many'],
  typeInvalid: ['FieldValueTypeInvalid', 'Invalid value']
} as const

/** `deployments.apps "web"`, as messages name an object. */
const named = (resource: Resource, name: string): string => `${resource.id} "${name}"`

const detailsOf = (resource: Resource, name: string): Readonly<Record<string, unknown>> => ({
  name,
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.plural
})

export function notFound(resource: Resource, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${named(resource, name)} not found`, detailsOf(resource, name))
}

export function alreadyExists(resource: Resource, { metadata }: KubeObject): StatusError {
  const { name, deletionTimestamp } = metadata
  const leaving = deletionTimestamp === undefined ? '' : 'object is being deleted: '
  const message = `${leaving}${named(resource, name)} already exists`
  return new StatusError(409, 'AlreadyExists', message, detailsOf(resource, name))
}

export function conflict(resource: Resource, name: string, message: string): StatusError {
  const text = `Operation cannot be fulfilled on ${named(resource, name)}: ${message}`
  return new StatusError(409, 'Conflict', text, detailsOf(resource, name))
}

/** What upstream says when somebody else was faster. */
export const modified = 'the object has been modified; please apply your changes to the latest version and try again'

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

export function forbidden(resource: Resource, name: string, message: string): StatusError {
  const text = `${named(resource, name)} is forbidden: ${message}`
  return new StatusError(403, 'Forbidden', text, detailsOf(resource, name))
}

/** The 422 that lists what is wrong. */
export function invalid(
  resource: Pick<Resource, 'group' | 'kind'>,
  name: string,
  problems: readonly Problem[]
): StatusError {
  const texts = problems.map(textOf)
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const causes = problems.map((problem, index) => ({
    reason: problemTypes[problem.type][0],
    message: texts[index]?.slice(problem.field.length + 2),
    field: problem.field
  }))
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`
  const group = resource.group === '' ? {} : { group: resource.group }
  const details = { ...(name === '' ? {} : { name }), ...group, kind: resource.kind, causes }
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${list}`, details)
}

/** Throws where there is any problem. */
export function refuse(resource: Pick<Resource, 'group' | 'kind'>, name: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalid(resource, name, problems)
}

/** Refuses an object that is not new. */
export function refuseNew({ metadata }: KubeObject): void {
  if (metadata.resourceVersion)
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created')
}

const valueless: ReadonlySet<Problem['type']> = new Set(['required', 'forbidden', 'tooLong'])

function textOf({ field, type, detail, value }: Problem): string {
  const said = valueless.has(type) ? '' : `: ${quoted(value)}`
  return `${field}: ${problemTypes[type][1]}${said}${detail === undefined || detail === '' ? '' : `: ${detail}`}`
}

/** A value as upstream's messages print it. */
function quoted(value: unknown): string {
  return JSON.stringify(value) ?? 'undefined'
}

/** A `metav1.Status` for what was thrown. */
export function statusOf(error: StatusError): KubeObject {
  const { status, reason, message, details } = error
  const said = reason === '' ? {} : { reason }
  const body = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message, ...said, code: status }
  return { ...body, ...(details === undefined ? {} : { details }) } as unknown as KubeObject
}
