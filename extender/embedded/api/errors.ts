import { type KubeObject, StatusError } from '../store/objects.ts'
import type { Resource } from './resources.ts'

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

export function alreadyExists(resource: Resource, name: string): StatusError {
  const details = detailsOf(resource, name)
  return new StatusError(409, 'AlreadyExists', `${named(resource, name)} already exists`, details)
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

export function methodNotAllowed(message: string): StatusError {
  return new StatusError(405, 'MethodNotAllowed', message)
}

/** The 422 that lists what is wrong. */
export function invalid(resource: Resource, name: string, problems: readonly Problem[]): StatusError {
  const texts = problems.map(textOf)
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const causes = problems.map((problem, index) => ({
    reason: problemTypes[problem.type][0],
    message: texts[index]?.slice(problem.field.length + 2),
    field: problem.field
  }))
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`
  const group = resource.group === '' ? {} : { group: resource.group }
  const details = { name, ...group, kind: resource.kind, causes }
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${list}`, details)
}

/** Throws where there is any problem. */
export function refuse(resource: Resource, name: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw invalid(resource, name, problems)
}

const valueless: ReadonlySet<Problem['type']> = new Set(['required', 'forbidden', 'tooLong', 'tooMany'])

function textOf({ field, type, detail, value }: Problem): string {
  const said = valueless.has(type) ? '' : `: ${quoted(value)}`
  return `${field}: ${problemTypes[type][1]}${said}${detail === undefined || detail === '' ? '' : `: ${detail}`}`
}

/** A value as upstream's messages print it. */
function quoted(value: unknown): string {
  return typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/** A `metav1.Status` for what was thrown. */
export function statusOf(error: StatusError): KubeObject {
  const { status, reason, message, details } = error
  const body = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message, reason, code: status }
  return { ...body, ...(details === undefined ? {} : { details }) } as unknown as KubeObject
}
