import { Code, ConnectError } from '@connectrpc/connect'
import { codeToHttpStatus, errorToJson } from '@connectrpc/connect/protocol-connect'
import { RefusalSchema } from './proto/generated/sandbox/v1/sandbox_pb.js'

/** Reasons of a refusal: constants that a program may act on. */
export type RefusalReason =
  | 'invalid_field'
  | 'invalid_idempotency_key'
  | 'idempotency_key_reused'
  | 'in_flight'
  | 'still_terminating'
  | 'not_found'
  | 'terminated'
  | 'unknown_template'
  | 'idempotence_store_unavailable'
  | 'kubernetes_unavailable'
  | 'kubernetes_refused'
  | 'no_cluster'
  | 'closing'
  | 'events_store_unavailable'
  | 'too_many_readers'

export type RefusalOptions = {
  /** Of what is refused: a field's name, a sandbox's id. */
  readonly subject?: string
  /** Sent as the header `retry-after`, in whole seconds. */
  readonly retryAfterMs?: number
}

/** An error that says in one sentence what was wrong, with its `Refusal` for programs; thrown by calls and routes. */
export function refusal(
  code: Code,
  reason: RefusalReason,
  message: string,
  { subject = '', retryAfterMs }: RefusalOptions = {}
): ConnectError {
  const headers =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
  return new ConnectError(message, code, headers, [{ desc: RefusalSchema, value: { reason, subject } }])
}

/** The request itself is wrong: the field, and what to send in its place. */
export function invalid(subject: string, message: string): ConnectError {
  return refusal(Code.InvalidArgument, 'invalid_field', message, { subject })
}

/** The reason of an error that `refusal` made, on this side or the other side of the wire. */
function reasonOfRefusal(error: unknown): string | undefined {
  if (!(error instanceof ConnectError)) return undefined
  for (const detail of error.details)
    if ('desc' in detail && detail.desc === RefusalSchema && 'reason' in detail.value)
      return String(detail.value.reason)
  return error.findDetails(RefusalSchema)[0]?.reason
}

/** The HTTP status of a refusal on the plain routes, where there is a 422. */
export function httpStatusOf(error: ConnectError): number {
  return reasonOfRefusal(error) === 'idempotency_key_reused' ? 422 : codeToHttpStatus(error.code)
}

/** The body of a refusal: the same on the plain routes as over Connect. */
export const bodyOf = (error: ConnectError): object => errorToJson(error, undefined)
