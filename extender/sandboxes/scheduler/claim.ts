import { annotations, finalizer, labels } from '../labels.ts'
import { object, objects, text } from '../../json.ts'
import { moment, parsed, span, time, whole } from './json.ts'
import type { Json } from './ports.ts'

/** What a sandbox was asked to be. */
export type Spec = {
  readonly ttlMs: number
  /** 0: it may idle. */
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  readonly template: string
  readonly env: Readonly<Record<string, string>>
  readonly priority: number
  readonly gang: { readonly name: string; readonly minMember: number } | undefined
}

export type EndReason = 'RELEASED' | 'EXPIRED' | 'FAILED'
export type FailureCode =
  | 'IMAGE_PULL'
  | 'UNSCHEDULABLE'
  | 'START_TIMEOUT'
  | 'CRASHED'
  | 'OOM_KILLED'
  | 'EVICTED'
  | 'PREEMPTED'
  | 'NODE_LOST'
  | 'DELETED_EXTERNALLY'
export type Failure = { readonly code: FailureCode; readonly exitCode?: number; readonly message: string }

/** How a sandbox ended, and what it was then; kept on its claim. */
export type Ended = {
  readonly reason: EndReason
  readonly at: number
  readonly failure?: Failure
  readonly readyAt?: number
  readonly node?: string
  readonly podIp?: string
}

/** What makes a claim, before the API server has seen it. */
export type Draft = {
  readonly id: string
  readonly tenant: string
  readonly projectId: string
  readonly fingerprint: string
  /** Empty where the project is the identity. */
  readonly keyHash: string
  /** From then on the key is free for another sandbox. */
  readonly keyUntil: number
  readonly createdAt: number
  readonly spec: Spec
  readonly port: number
  readonly traceparent: string
}

/** The record of a sandbox: its Service, which whoever creates it first owns. Its uid is generation and fencing token. */
export type Claim = Draft & {
  readonly uid: string
  readonly version: string
  readonly expiresAt: number
  /** When somebody last used it, which is not when somebody last asked about it. */
  readonly usedAt: number
  readonly retainCount: number
  readonly pod: PodName | undefined
  /** Known with the pod. */
  readonly launched: Launched
  readonly ended: Ended | undefined
  /** Somebody has deleted it; only a finalizer keeps it. */
  readonly leaving: boolean
  readonly finalizers: readonly string[]
}

export type PodName = { readonly name: string; readonly uid: string }

/** The way that a sandbox got its pod, and why not in a faster one. */
export type Launched = { readonly way: 'WARM' | 'PLACEHOLDER' | 'COLD'; readonly reason: string }

const iso = (at: number): string => new Date(at).toISOString()

/** The Service that claims a sandbox. */
export function serviceOf(draft: Draft, withFinalizer: boolean): Json {
  const { id, projectId, createdAt, spec, port, tenant, keyUntil, traceparent } = draft
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: id,
      labels: { [labels.managed]: 'true', [labels.id]: id, [labels.project]: projectId },
      annotations: {
        [annotations.fingerprint]: draft.fingerprint,
        [annotations.keyHash]: draft.keyHash,
        [annotations.createdAt]: iso(createdAt),
        [annotations.expiresAt]: iso(createdAt + spec.ttlMs),
        [annotations.request]: JSON.stringify({ tenant, keyUntil, traceparent, ...spec })
      },
      ...(withFinalizer && { finalizers: [finalizer] })
    },
    spec: {
      clusterIP: 'None',
      selector: { [labels.id]: id, [labels.generation]: generationOf(draft) },
      ports: [{ name: 'http', port, targetPort: port }]
    }
  }
}

/** A label's value that no other sandbox of that id has. */
export const generationOf = ({ createdAt }: Pick<Draft, 'createdAt'>): string => createdAt.toString(36)

/** The pod that is made for a claim: its name follows from the claim, so that whoever makes it makes the same. */
export const podNameOf = ({ id, uid }: Pick<Claim, 'id' | 'uid'>): string => `${id}-${uid.slice(0, 8)}`

/** Reads a Service; undefined where it is no claim of ours. */
export function claimOf(service: Json): Claim | undefined {
  const metadata = object(service.metadata)
  const notes = object(metadata.annotations)
  const [id, uid] = [text(metadata.name), text(metadata.uid)]
  const [fingerprint, createdAt] = [text(notes[annotations.fingerprint]), time(notes[annotations.createdAt])]
  if (id === undefined || uid === undefined || fingerprint === undefined || createdAt === undefined) return undefined
  const request = parsed(notes[annotations.request])
  const spec = specOf(request)
  return {
    ...{ id, uid, fingerprint, createdAt, spec },
    ...requestIn(request),
    ...timesIn(notes, createdAt, spec.ttlMs),
    version: orEmpty(metadata.resourceVersion),
    projectId: orEmpty(object(metadata.labels)[labels.project]),
    keyHash: orEmpty(notes[annotations.keyHash]),
    port: whole(objects(object(service.spec).ports)[0]?.port) ?? 0,
    pod: podIn(parsed(notes[annotations.pod])),
    launched: launchedIn(notes[annotations.launch]),
    ended: endedIn(notes),
    leaving: text(metadata.deletionTimestamp) !== undefined,
    finalizers: Array.isArray(metadata.finalizers) ? metadata.finalizers.map(String) : []
  }
}

const orEmpty = (value: unknown): string => text(value) ?? ''

const requestIn = ({ tenant, keyUntil, traceparent }: Json): Pick<Draft, 'tenant' | 'keyUntil' | 'traceparent'> => ({
  tenant: text(tenant) ?? 'default',
  keyUntil: moment(keyUntil) ?? 0,
  traceparent: orEmpty(traceparent)
})

/** What changes while it lives. */
const timesIn = (
  notes: Json,
  createdAt: number,
  ttlMs: number
): Pick<Claim, 'expiresAt' | 'usedAt' | 'retainCount'> => ({
  expiresAt: time(notes[annotations.expiresAt]) ?? createdAt + ttlMs,
  usedAt: time(notes[annotations.usedAt]) ?? createdAt,
  retainCount: whole(Number(text(notes[annotations.retainCount]) ?? 0)) ?? 0
})

function specOf(request: Json): Spec {
  const gang = object(request.gang)
  const name = text(gang.name)
  const env = Object.entries(object(request.env)).map(([key, value]) => [key, String(value)])
  return {
    ttlMs: span(request.ttlMs) ?? 0,
    idleTimeoutMs: span(request.idleTimeoutMs) ?? 0,
    maxLifetimeMs: span(request.maxLifetimeMs) ?? 0,
    template: text(request.template) ?? 'default',
    env: Object.fromEntries(env) as Record<string, string>,
    priority: whole(request.priority) ?? 0,
    gang: name === undefined ? undefined : { name, minMember: whole(gang.minMember) ?? 1 }
  }
}

function podIn({ name, uid }: Json): PodName | undefined {
  const [given, by] = [text(name), text(uid)]
  return given === undefined || by === undefined ? undefined : { name: given, uid: by }
}

/** Of a Service or a pod; what says nothing was made cold. */
export function launchedIn(note: unknown): Launched {
  const { way, reason } = parsed(note)
  return { way: way === 'WARM' || way === 'PLACEHOLDER' ? way : 'COLD', reason: orEmpty(reason) }
}

/** The reason alone decides; the rest may have been written by a later version of us, or by anybody. */
function endedIn(notes: Json): Ended | undefined {
  const reason = text(notes[annotations.terminatedReason])
  if (reason === undefined) return undefined
  const rest = parsed(notes[annotations.terminated])
  const [readyAt, node, podIp] = [moment(rest.readyAt), text(rest.node), text(rest.podIp)]
  const failure = failureIn(object(rest.failure))
  return {
    ...{ reason: reason as EndReason, at: moment(rest.at) ?? 0 },
    ...(failure && { failure }),
    ...(readyAt !== undefined && { readyAt }),
    ...(node !== undefined && { node }),
    ...(podIp !== undefined && { podIp })
  }
}

function failureIn({ code, exitCode, message }: Json): Failure | undefined {
  const [name, number] = [text(code), whole(exitCode)]
  if (name === undefined) return undefined
  return { code: name as FailureCode, message: orEmpty(message), ...(number !== undefined && { exitCode: number }) }
}

/** The annotations that say how a sandbox ended. */
export const endedNotes = (ended: Ended): Json => ({
  [annotations.terminatedReason]: ended.reason,
  [annotations.terminated]: JSON.stringify(ended)
})

export const expiryNote = (at: number): Json => ({ [annotations.expiresAt]: iso(at) })
export const usedNote = (at: number): Json => ({ [annotations.usedAt]: iso(at) })
export const retainNote = (count: number): Json => ({ [annotations.retainCount]: String(count) })
export const launchNote = (launched: Launched): Json => ({ [annotations.launch]: JSON.stringify(launched) })
export const podNote = ({ name, uid, launched }: PodName & { readonly launched: Launched }): Json => ({
  [annotations.pod]: JSON.stringify({ name, uid }),
  ...launchNote(launched)
})

/** When a sandbox ends for good, however often it is retained. */
export const lastMoment = ({ createdAt, spec }: Pick<Claim, 'createdAt' | 'spec'>): number =>
  createdAt + spec.maxLifetimeMs

/** When it ends unless somebody retains it. */
export const deadlineOf = (claim: Claim): number => Math.min(claim.expiresAt, lastMoment(claim))
