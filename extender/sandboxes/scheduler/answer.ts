import { create, fromJsonString, type MessageInitShape, toJsonString } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  FailureCode,
  FailureCodeSchema,
  FailurePhase,
  Launch,
  Reason,
  ReasonSchema,
  type Sandbox,
  SandboxSchema,
  State
} from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { type Claim, deadlineOf, type Ended } from './claim.ts'
import type { PodFacts } from './pod-facts.ts'
import type { Settings } from './ports.ts'

type Place = Pick<Settings, 'cluster' | 'namespace'>

/** A sandbox as it is told, from its claim and its pod. */
export function sandboxOf(claim: Claim, pod: PodFacts | undefined, { cluster, namespace }: Place): Sandbox {
  const { id, uid, tenant, projectId, ended, port, retainCount } = claim
  return create(SandboxSchema, {
    ...{ id, uid, tenant, projectId, cluster, namespace, port, retainCount },
    state: stateOf(claim, pod),
    ...launchOf(claim),
    hostname: `${id}.${namespace}.svc.cluster.local`,
    pod: claim.pod?.name ?? pod?.name ?? '',
    createdAt: timestampFromMs(claim.createdAt),
    expiresAt: timestampFromMs(deadlineOf(claim)),
    ...wishOf(claim.spec),
    ...placeOf(ended ? { ip: ended.podIp, node: ended.node, readyAt: ended.readyAt } : (pod ?? {}), claim),
    ...(ended && endOf(ended))
  })
}

/** How a sandbox gets its pod is known once it has one. */
function launchOf({ pod, launched }: Claim): Pick<Sandbox, 'launch' | 'launchReason'> {
  if (pod === undefined) return { launch: Launch.UNSPECIFIED, launchReason: '' }
  return { launch: Launch[launched.way], launchReason: launched.reason }
}

/** Where it is, or was when it ended. */
function placeOf(
  { ip = '', node = '', readyAt }: Where,
  { createdAt }: Claim
): Pick<MessageInitShape<typeof SandboxSchema>, PlaceFields> {
  // A warm pod was ready before anybody asked.
  return { podIp: ip, node, ...(readyAt !== undefined && { readyAt: timestampFromMs(Math.max(readyAt, createdAt)) }) }
}

type Where = { readonly [field in 'ip' | 'node']?: string | undefined } & { readonly readyAt?: number | undefined }
type PlaceFields = 'podIp' | 'node' | 'readyAt'
type WishFields = 'ttl' | 'idleTimeout' | 'maxLifetime' | 'template' | 'priority' | 'gang'

function wishOf(spec: Claim['spec']): Pick<MessageInitShape<typeof SandboxSchema>, WishFields> {
  return {
    ttl: durationFromMs(spec.ttlMs),
    ...(spec.idleTimeoutMs > 0 && { idleTimeout: durationFromMs(spec.idleTimeoutMs) }),
    maxLifetime: durationFromMs(spec.maxLifetimeMs),
    template: spec.template,
    priority: spec.priority,
    ...(spec.gang && { gang: spec.gang })
  }
}

function stateOf({ ended, pod: recorded }: Claim, pod: PodFacts | undefined): State {
  if (ended) return State.TERMINATED
  return recorded && pod?.readyAt !== undefined ? State.READY : State.PENDING
}

function endOf({ reason, at, failure, readyAt }: Ended): object {
  const phase = readyAt === undefined ? FailurePhase.CREATE : FailurePhase.RUNTIME
  return {
    reason: reasons.get(reason) ?? Reason.FAILED,
    terminatedAt: timestampFromMs(at),
    ...(failure && { failure: { ...failure, phase, code: codes.get(failure.code) ?? FailureCode.UNSPECIFIED } })
  }
}

/** Of those that another version of us may have written, only what is known. */
const codes: ReadonlyMap<string, FailureCode> = new Map(
  FailureCodeSchema.values.map(({ localName, number }) => [localName, number])
)
const reasons: ReadonlyMap<string, Reason> = new Map(
  ReasonSchema.values.map(({ localName, number }) => [localName, number])
)

/** A sandbox as stores keep it. */
export const written = (sandbox: Sandbox): string => toJsonString(SandboxSchema, sandbox)

/** What a store kept; fields of a later version of us are passed over. */
export const read = (text: string): Sandbox => fromJsonString(SandboxSchema, text, { ignoreUnknownFields: true })
