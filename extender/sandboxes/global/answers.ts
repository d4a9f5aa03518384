import { Code, ConnectError } from '@connectrpc/connect'
import { refusal } from '../refusals.ts'
import type { Failure } from './failures.ts'

/** What a cluster decided, in its own words, without what belongs to its connection. */
export function passedOn({ error, retryAfterMs }: Failure): ConnectError {
  const headers =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
  const passed = new ConnectError(error.rawMessage, error.code, headers)
  passed.details = error.details
  return passed
}

/** Nobody can serve this now. */
export function unavailable(message: string, subject: string, retryAfterMs: number): ConnectError {
  return refusal(Code.Unavailable, 'no_cluster', message, { subject, retryAfterMs })
}

/** Headers of a request that its cluster needs too. */
export function forwarded(headers: Headers): Headers {
  const passed = new Headers()
  for (const name of ['authorization', 'traceparent', 'tracestate']) {
    const value = headers.get(name)
    if (value !== null) passed.set(name, value)
  }
  return passed
}
