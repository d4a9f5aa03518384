import { reasonOf } from '../errors.ts'

/** What went wrong between us and the API server; callers test `code`, never the message. */
export type ConnectionErrorCode = 'MUSTER_NOT_SENT' | 'MUSTER_UNKNOWN_OUTCOME'

/**
 * A request that got no complete answer.
 * `MUSTER_NOT_SENT`: not one byte left for the server, so a retry is always safe.
 * `MUSTER_UNKNOWN_OUTCOME`: it may have been carried out; look before doing it again.
 */
export class ConnectionError extends Error {
  readonly code: ConnectionErrorCode

  constructor(code: ConnectionErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'ConnectionError'
    this.code = code
  }
}

/** The request never left: safe to send again. */
export const notSent = (reason: string, cause?: unknown): ConnectionError =>
  new ConnectionError('MUSTER_NOT_SENT', reason, cause)

/** The request left and its answer was lost. */
export const unknownOutcome = (reason: string, cause?: unknown): ConnectionError =>
  new ConnectionError('MUSTER_UNKNOWN_OUTCOME', reason, cause)

/** True only where it is certain that the server saw nothing. */
export function wasNotSent(error: unknown): boolean {
  return error instanceof ConnectionError && error.code === 'MUSTER_NOT_SENT'
}

/** Like `reasonOf`, but looks into what has no message of its own: a refused dual-stack connection is an empty AggregateError. */
export function causeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return causeOf(error.errors[0])
  if (error instanceof Error && error.message === '') return 'code' in error ? String(error.code) : error.name
  return reasonOf(error)
}
