import { create, fromJson, type JsonObject, toJson } from '@bufbuild/protobuf'
import { TimestampSchema } from '@bufbuild/protobuf/wkt'
import { type Event, EventSchema, EventType } from '../proto/generated/sandbox/v1/events_pb.js'
import { type Sandbox, SandboxSchema } from '../proto/generated/sandbox/v1/sandbox_pb.js'

/** The one type of event that there is. */
export const terminatedType = 'sandbox.terminated.v1'

/** CloudEvents 1.0, structured JSON: what subscribers, webhooks and hooks get. */
export type CloudEvent = {
  readonly specversion: '1.0'
  /** `<sandbox-uid>.terminated`: with `source`, the same for the same death. */
  readonly id: string
  readonly source: string
  readonly type: typeof terminatedType
  /** The sandbox's id. */
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  /** The project. */
  readonly partitionkey: string
  readonly traceparent?: string
  readonly data: Terminated
}

/** How a sandbox ended, and how it was then. Times are RFC 3339, durations as `900s`; what is not known is left out. */
export type Terminated = {
  readonly eventType: 'TERMINATED'
  readonly reason: 'RELEASED' | 'EXPIRED' | 'FAILED'
  readonly failure?: {
    readonly phase?: 'CREATE' | 'RUNTIME'
    readonly code?: string
    readonly exitCode?: number
    readonly message?: string
  }
  readonly sandbox: string
  readonly project: string
  readonly retainCount: number
  /** The other fields of a sandbox, by the names that they have in JSON. */
  readonly [field: string]: unknown
}

/** Enum values go without the prefix that protobuf wants. */
const prefixes = { state: 'STATE_', launch: 'LAUNCH_', reason: 'REASON_' }
const failurePrefixes = { phase: 'FAILURE_PHASE_', code: 'FAILURE_CODE_' }

/** The event of a sandbox that has ended: the same id, whoever tells of it. */
export function terminatedEvent(sandbox: Sandbox, traceparent = ''): Event {
  return create(EventSchema, {
    id: `${sandbox.uid}.terminated`,
    source: `/clusters/${sandbox.cluster}/namespaces/${sandbox.namespace}`,
    type: terminatedType,
    subject: sandbox.id,
    ...(sandbox.terminatedAt && { time: sandbox.terminatedAt }),
    traceparent,
    partitionKey: sandbox.projectId,
    eventType: EventType.TERMINATED,
    sandbox
  })
}

/** An event that was checked, as CloudEvents JSON. */
export function toCloudEvent(event: Event & Checked): CloudEvent {
  const { id, source, subject, time, traceparent, partitionKey, sandbox } = event
  return {
    specversion: '1.0',
    ...{ id, source, type: terminatedType, subject },
    time: toJson(TimestampSchema, time),
    datacontenttype: 'application/json',
    partitionkey: partitionKey,
    ...(traceparent && { traceparent }),
    data: dataOf(sandbox)
  }
}

/** The event that this CloudEvent was made of. */
export function fromCloudEvent({ id, source, subject, time, partitionkey, traceparent, data }: CloudEvent): Event {
  const { sandbox, project, failure, eventType: _, ...rest } = data
  const json = {
    ...{ id: sandbox, projectId: project, ...lengthened(rest as JsonObject, prefixes) },
    ...(failure && { failure: lengthened(failure, failurePrefixes) })
  }
  return create(EventSchema, {
    ...{ id, source, type: terminatedType, subject, partitionKey: partitionkey },
    time: fromJson(TimestampSchema, time),
    ...(traceparent && { traceparent }),
    eventType: EventType.TERMINATED,
    // Written by a later version, perhaps.
    sandbox: fromJson(SandboxSchema, json, { ignoreUnknownFields: true })
  })
}

/** The messages that an event cannot do without. */
export type Checked = { readonly time: NonNullable<Event['time']>; readonly sandbox: Sandbox }

function dataOf(sandbox: Sandbox): Terminated {
  const { id: _id, projectId: _project, failure, ...rest } = toJson(SandboxSchema, sandbox) as JsonObject
  return {
    eventType: 'TERMINATED',
    ...{ sandbox: sandbox.id, project: sandbox.projectId, retainCount: sandbox.retainCount },
    ...shortened(rest, prefixes),
    ...(failure && { failure: shortened(failure as JsonObject, failurePrefixes) })
  } as Terminated
}

type Prefixes = Readonly<Record<string, string>>

const shortened = (json: JsonObject, of: Prefixes): JsonObject =>
  mapped(json, of, (text, prefix) => text.slice(text.startsWith(prefix) ? prefix.length : 0))

const lengthened = (json: JsonObject, of: Prefixes): JsonObject => mapped(json, of, (text, prefix) => prefix + text)

function mapped(json: JsonObject, of: Prefixes, change: (text: string, prefix: string) => string): JsonObject {
  const changed = { ...json }
  for (const [name, prefix] of Object.entries(of)) {
    const value = json[name]
    if (typeof value === 'string') changed[name] = change(value, prefix)
  }
  return changed
}
