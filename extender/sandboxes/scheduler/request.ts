import { createHash } from 'node:crypto'
import { Code } from '@connectrpc/connect'
import { type Duration, durationMs } from '@bufbuild/protobuf/wkt'
import { sandboxIdOf, tenantOf } from '../identity.ts'
import type { CreateSandboxRequest } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { invalid, refusal } from '../refusals.ts'
import type { Draft, Spec } from './claim.ts'
import type { Settings } from './ports.ts'

/** A request that can be carried out: checked, with defaults in. */
export type Wanted = Pick<Draft, 'tenant' | 'projectId' | 'fingerprint' | 'spec' | 'keyHash' | 'traceparent'> & {
  /** Empty: the project is the identity. */
  readonly key: string
}

type Defaults = Pick<Settings, 'ttlMs' | 'maxLifetimeMs'>
type Headers = { get(name: string): string | null }

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const variable = /^[A-Za-z_][A-Za-z0-9_]*$/
const printable = /^[ -~]{1,255}$/
const shortestMs = 1_000
const most = { variables: 100, characters: 32 * 1024, members: 1_000 }

/** Reads a request and its header; throws the refusal that says what is wrong with it. */
export function wantedOf(request: CreateSandboxRequest, headers: Headers, defaults: Defaults): Wanted {
  const { projectId } = request
  const tenant = checkTenant(request.tenant)
  checkProject(projectId)
  const key = keyOf(request.idempotencyKey, headers.get('idempotency-key'))
  const spec = specOf(request, defaults)
  const keyHash = key === '' ? '' : hash(key)
  const traceparent =
    /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(headers.get('traceparent') ?? '')?.[0] ?? ''
  return { ...{ tenant, projectId, key, keyHash, spec, traceparent }, fingerprint: fingerprintOf(key, projectId, spec) }
}

export function checkProject(projectId: string): void {
  if (!label.test(projectId))
    throw invalid('project_id', `project_id ${shown(projectId)} must be a DNS label: 1 to 63 of a-z, 0-9 and -`)
}

/** The tenant, by its name. */
export function checkTenant(tenant: string): string {
  if (tenant !== '' && !label.test(tenant))
    throw invalid('tenant', `tenant ${shown(tenant)} must be a DNS label: 1 to 63 of a-z, 0-9 and -`)
  return tenantOf(tenant)
}

/**
 * The id of the sandbox that a request is about. A key that is free again while its sandbox still lives goes on to the
 * next round's id.
 */
export const idOf = ({ tenant, projectId, key }: Pick<Wanted, 'tenant' | 'projectId' | 'key'>, round = 0): string =>
  sandboxIdOf({ tenant, projectId, idempotencyKey: round === 0 ? key : `${key}\0${round}` })

const badKey = (message: string): Error =>
  refusal(Code.InvalidArgument, 'invalid_idempotency_key', message, { subject: 'idempotency_key' })

function keyOf(field: string, header: string | null): string {
  if (header !== null && field !== '' && field !== header)
    throw badKey('the header Idempotency-Key and the field idempotency_key differ; send one of them')
  const key = header ?? field
  if (header === '' || (key !== '' && !printable.test(key)))
    throw badKey('the idempotency key must be 1 to 255 printable ASCII characters')
  return key
}

function specOf(request: CreateSandboxRequest, defaults: Defaults): Spec {
  const maxLifetimeMs = duration('max_lifetime', request.maxLifetime, defaults.maxLifetimeMs) ?? defaults.maxLifetimeMs
  const ttlMs = duration('ttl', request.ttl, maxLifetimeMs) ?? Math.min(defaults.ttlMs, maxLifetimeMs)
  const idleTimeoutMs = duration('idle_timeout', request.idleTimeout, maxLifetimeMs) ?? 0
  const { template, priority } = request
  const env = envOf(request.env)
  return { ttlMs, idleTimeoutMs, maxLifetimeMs, env, priority, template: template || 'default', gang: gangOf(request) }
}

/** Undefined where it is not set; whole milliseconds. */
export function duration(field: string, value: Duration | undefined, longestMs: number): number | undefined {
  if (value === undefined) return undefined
  const ms = Math.round(durationMs(value))
  if (ms < shortestMs || ms > longestMs)
    throw invalid(field, `${field} of ${ms / 1000} s must be between 1 s and ${longestMs / 1000} s`)
  return ms
}

function envOf(env: Readonly<Record<string, string>>): Spec['env'] {
  const entries = Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const characters = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (entries.length > most.variables || characters > most.characters)
    throw invalid('env', `env must be at most ${most.variables} variables and ${most.characters} characters in all`)
  for (const [name, value] of entries) {
    if (!variable.test(name) || value.includes('\0'))
      throw invalid('env', `env: ${shown(name)} must be letters, digits and _, and its value a text`)
    if (name.startsWith('SANDBOX_')) throw invalid('env', `env: ${shown(name)} is set by muster; take another name`)
  }
  return Object.fromEntries(entries)
}

function gangOf({ gang }: CreateSandboxRequest): Spec['gang'] {
  if (gang === undefined) return undefined
  const { name, minMember } = gang
  if (!label.test(name)) throw invalid('gang.name', `gang.name ${shown(name)} must be a DNS label`)
  if (minMember < 1 || minMember > most.members)
    throw invalid('gang.min_member', `gang.min_member ${minMember} must be between 1 and ${most.members}`)
  return { name, minMember }
}

/**
 * What makes two requests the same. With a key that is all of them; without one whoever comes later gets the sandbox
 * that the project has, if only it is of the kind that was asked for: how long it lives is the first one's choice.
 */
function fingerprintOf(key: string, projectId: string, spec: Spec): string {
  const { template, env, gang } = spec
  return hash(JSON.stringify(key === '' ? [template, env, gang ?? null] : [projectId, canonical(spec)]))
}

const canonical = (spec: Spec): unknown => Object.entries(spec).toSorted(([a], [b]) => (a < b ? -1 : 1))
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
const shown = (text: string): string => JSON.stringify(text.slice(0, 80))
