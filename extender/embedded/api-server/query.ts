import type { DeleteOptions, ListOptions } from '../store/client.ts'
import { StatusError } from '../store/objects.ts'
import type { FieldValidation, WriteOptions } from '../api/types.ts'

/** The query of a request, as Fastify reads it. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/** One parameter; an empty one is none. */
export function param(query: Query, name: string): string | undefined {
  const value = query[name]
  const first = typeof value === 'string' ? value : value?.[0]
  return first === '' ? undefined : first
}

/** A parameter that is true or false. */
export function flag(query: Query, name: string): boolean {
  const value = query[name]
  if (value === undefined) return false
  return !['false', '0', 'f'].includes(String(value).toLowerCase())
}

/** A parameter that counts something; throws 400 for what is no number. */
export function integer(query: Query, name: string): number | undefined {
  const value = param(query, name)
  if (value === undefined) return undefined
  if (!/^-?\d{1,15}$/.test(value))
    throw new StatusError(400, 'BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`)
  return Number(value)
}

/** What a list, a watch or a deletion of many selects. */
export function selection(query: Query): ListOptions {
  const [labelSelector, fieldSelector] = [param(query, 'labelSelector'), param(query, 'fieldSelector')]
  return {
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector })
  }
}

/** Throws 422 for a dryRun other than All. */
export function isDryRun(query: Query, body?: unknown): boolean {
  const values = [query.dryRun ?? [], body ?? []].flat()
  const wrong = values.find(value => value !== 'All')
  if (wrong === undefined) return values.length > 0
  const message = `Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`
  throw new StatusError(422, 'Invalid', `WriteOptions.meta.k8s.io "" is invalid: dryRun: ${message}`, {
    group: 'meta.k8s.io',
    kind: 'WriteOptions',
    causes: [{ reason: 'FieldValueNotSupported', message, field: 'dryRun' }]
  })
}

const validations: ReadonlySet<string> = new Set(['Strict', 'Warn', 'Ignore'])

/** What goes with every write. Upstream only warns where nothing is said. */
export function writing(query: Query, warn: (warning: string) => void): WriteOptions {
  const fieldValidation = param(query, 'fieldValidation') ?? 'Warn'
  if (!validations.has(fieldValidation))
    throw new StatusError(
      422,
      'Invalid',
      `WriteOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: ${JSON.stringify(fieldValidation)}: supported values: "Ignore", "Strict", "Warn"`
    )
  const fieldManager = param(query, 'fieldManager')
  return {
    dryRun: isDryRun(query),
    fieldValidation: fieldValidation as FieldValidation,
    warn,
    ...(fieldManager !== undefined && { fieldManager })
  }
}

const policies: ReadonlySet<string> = new Set(['Foreground', 'Background', 'Orphan'])

/** What goes with a deletion: the body says it, or the query. */
export function deletion(query: Query, body: Readonly<Record<string, unknown>>): DeleteOptions & { dryRun: boolean } {
  const grace = body.gracePeriodSeconds ?? integer(query, 'gracePeriodSeconds')
  const policy = body.propagationPolicy ?? param(query, 'propagationPolicy') ?? orphaning(query, body)
  if (policy !== undefined && !(typeof policy === 'string' && policies.has(policy)))
    throw new StatusError(
      422,
      'Invalid',
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`
    )
  const preconditions = body.preconditions as DeleteOptions['preconditions']
  return {
    dryRun: isDryRun(query, body.dryRun),
    ...(typeof grace === 'number' && { gracePeriodSeconds: grace }),
    ...(policy !== undefined && { propagationPolicy: policy as NonNullable<DeleteOptions['propagationPolicy']> }),
    ...(preconditions && { preconditions })
  }
}

/** The old way to say it. */
function orphaning(query: Query, body: Readonly<Record<string, unknown>>): string | undefined {
  const orphan = body.orphanDependents ?? param(query, 'orphanDependents')
  if (orphan === undefined) return undefined
  return orphan === true || orphan === 'true' ? 'Orphan' : 'Background'
}
