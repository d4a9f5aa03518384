import { ScalarType } from '@bufbuild/protobuf'
import { reasonOf } from '../../errors.ts'
import { type Event, EventType } from '../proto/generated/sandbox/v1/events_pb.js'
import {
  type Failure,
  FailureCode,
  FailurePhase,
  Launch,
  Reason,
  type Sandbox,
  SandboxSchema,
  State
} from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { invalid } from '../refusals.ts'
import { type Checked, type CloudEvent, terminatedType, toCloudEvent } from './cloud-event.ts'

/** With these bounds no event is larger than 20 kB as JSON, which is what receivers of webhooks may rely on. */
const longestText = 253
const longestMessage = 1_000

/** Sentences of people and programs, shortened in place of being refused: an end must not go untold for its words. */
const messages = new Set(['launch_reason'])
const texts = SandboxSchema.fields.filter(
  field => field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING && !messages.has(field.name)
)

const traceparentForm = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** An event that may be told, and how. */
export type Accepted = { readonly event: Event; readonly cloudEvent: CloudEvent }

/** Refuses what is no TERMINATED event, with the field that is wrong. */
export function accepted(given: Event | undefined): Accepted {
  if (!given) throw invalid('event', 'event: say which event')
  const { sandbox, time } = given
  if (!sandbox) throw invalid('event.sandbox', 'event.sandbox: say which sandbox ended')
  if (!time) throw invalid('event.time', 'event.time: say when it ended')
  checkSandbox(sandbox)
  checkAttributes(given, sandbox)
  checkEnd(sandbox)
  const event = tidied({ ...given, sandbox, time })
  return { event, cloudEvent: converted(event) }
}

function checkSandbox(sandbox: Sandbox): void {
  for (const field of texts) {
    const value = sandbox[field.localName as 'id']
    if (value.length > longestText || !/^[\x20-\x7e]*$/.test(value))
      throw invalid(
        `event.sandbox.${field.name}`,
        `event.sandbox.${field.name}: at most ${longestText} printable letters`
      )
  }
  for (const name of ['id', 'uid', 'cluster', 'namespace'] as const)
    if (!/^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$/.test(sandbox[name]))
      throw invalid(`event.sandbox.${name}`, `event.sandbox.${name}: a name of letters, digits, dots and dashes`)
}

/** The attributes follow from the sandbox: the same death has the same id, whoever tells of it. */
function checkAttributes(event: Event, { id, uid, cluster, namespace, projectId }: Sandbox): void {
  const wanted = {
    id: `${uid}.terminated`,
    source: `/clusters/${cluster}/namespaces/${namespace}`,
    type: terminatedType,
    subject: id,
    partitionKey: projectId
  }
  for (const [name, value] of Object.entries(wanted) as [keyof typeof wanted, string][])
    if (event[name] !== value) {
      const field = name === 'partitionKey' ? 'event.partition_key' : `event.${name}`
      throw invalid(field, `${field}: must be ${JSON.stringify(value)} for that sandbox`)
    }
  if (event.eventType !== EventType.TERMINATED)
    throw invalid('event.event_type', 'event.event_type: EVENT_TYPE_TERMINATED is the only one')
}

function checkEnd({ state, reason, failure }: Sandbox): void {
  if (state !== State.TERMINATED)
    throw invalid('event.sandbox.state', 'event.sandbox.state: must be STATE_TERMINATED, it has ended')
  if (reason === Reason.UNSPECIFIED || Reason[reason] === undefined)
    throw invalid('event.sandbox.reason', 'event.sandbox.reason: REASON_RELEASED, REASON_EXPIRED or REASON_FAILED')
  if (reason === Reason.FAILED && !failure)
    throw invalid('event.sandbox.failure', 'event.sandbox.failure: say what failed')
  if (reason !== Reason.FAILED && failure)
    throw invalid('event.sandbox.failure', 'event.sandbox.failure: belongs to REASON_FAILED alone')
}

/** What a client of the scheduler or a later version of it said is no cause to leave an end untold. */
function tidied(event: Event & Checked): Event & Checked {
  const { sandbox, traceparent } = event
  const { launch, launchReason, failure } = sandbox
  return {
    ...event,
    traceparent: traceparentForm.test(traceparent) ? traceparent : '',
    sandbox: {
      ...sandbox,
      launch: known(Launch, launch),
      launchReason: oneLine(launchReason),
      ...(failure && { failure: tidiedFailure(failure) })
    }
  }
}

function tidiedFailure(failure: Failure): Failure {
  const { phase, code, message } = failure
  return { ...failure, phase: known(FailurePhase, phase), code: known(FailureCode, code), message: oneLine(message) }
}

/** The value, or the one that stands for none. */
const known = <T extends number>(values: Readonly<Record<number, unknown>>, value: T): T =>
  values[value] === undefined ? (0 as T) : value

function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()
  return line.length <= longestMessage ? line : `${line.slice(0, longestMessage - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** Times out of range are found by whoever writes them. */
function converted(event: Event & Checked): CloudEvent {
  try {
    return toCloudEvent(event)
  } catch (error) {
    throw invalid('event', `event: ${reasonOf(error)}`)
  }
}
