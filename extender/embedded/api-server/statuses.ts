import type { FastifyError } from 'fastify'
import { StatusError } from '../store/objects.ts'

/** A `metav1.Status` that says no. */
export function failure(error: StatusError): object {
  const { message, reason, details, status } = error
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details && { details }),
    code: status
  }
}

/** A `metav1.Status` that says yes. */
export function success(details?: object, code = 200): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...(details && { details }), code }
}

/** Whatever was thrown, as an answer of the API. */
export function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error
  const { statusCode = 500, code = '', message = '' } = error instanceof Error ? (error as Partial<FastifyError>) : {}
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new StatusError(413, 'RequestEntityTooLarge', 'the request is too large: its limit is 3145728 bytes')
  if (statusCode >= 400 && statusCode < 500) return new StatusError(statusCode, 'BadRequest', message)
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`)
}
