import { Code, type ConnectError } from '@connectrpc/connect'
import { reasonOf } from '../../errors.ts'
import { type RefusalReason, refusal } from '../refusals.ts'
import { text } from '../../json.ts'
import type { Answer } from './ports.ts'

/** What the API server says about an answer that is none of those expected. */
export const saidIn = ({ status, body }: Answer): string => text(body.message)?.slice(0, 500) ?? `HTTP ${status}`

/** Whether asking again later may help. */
export const isTransient = ({ status }: Answer): boolean => status >= 500 || status === 429 || status === 408

/** The namespace is full; that is nobody's failure, and passes. */
export const isOverQuota = (answer: Answer): boolean =>
  answer.status === 403 && saidIn(answer).includes('exceeded quota')

/** An answer of the API server that nobody can do anything with here. */
export function refusedBy(answer: Answer, what: string): ConnectError {
  const { retryAfterMs = 1_000 } = answer
  const message = `the API server refused ${what}: ${saidIn(answer)}`
  if (isTransient(answer)) return refusal(Code.Unavailable, 'kubernetes_unavailable', message, { retryAfterMs })
  if (isOverQuota(answer)) return overQuota(answer, what)
  return refusal(Code.FailedPrecondition, 'kubernetes_refused', message)
}

export function overQuota(answer: Answer, what: string): ConnectError {
  const message = `no room for ${what}: ${saidIn(answer)}`
  return refusal(Code.ResourceExhausted, 'kubernetes_refused', message, { retryAfterMs: 5_000 })
}

/** No answer came from the API server. */
export function unreachable(error: unknown): ConnectError {
  const message = `the API server does not answer: ${reasonOf(error)}`
  return refusal(Code.Unavailable, 'kubernetes_unavailable', message, { retryAfterMs: 1_000 })
}

export const notFound = (what: string, subject: string): ConnectError =>
  refusal(Code.NotFound, 'not_found', `there is no ${what}`, { subject })

/** Another request is at it: ask again. */
export const aborted = (reason: RefusalReason, message: string, subject: string, retryAfterMs: number): ConnectError =>
  refusal(Code.Aborted, reason, message, { subject, retryAfterMs })

export function reused(what: string, subject: string): ConnectError {
  return refusal(Code.FailedPrecondition, 'idempotency_key_reused', what, { subject })
}

/** Of a deletion or its like: what is gone, or somebody else's by now, is as good as deleted. */
export function done(answer: Answer, what: string): void {
  const { status } = answer
  if (status >= 300 && status !== 404 && status !== 409) throw refusedBy(answer, what)
}
