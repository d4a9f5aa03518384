import { Code, ConnectError } from '@connectrpc/connect'
import { retryAfterMs } from '../../backoff.ts'

/** No cluster may ask for more. */
const longestMs = 86_400_000

/**
 * What is known after a call failed. `refused`: it never left, nothing happened. `saturated`: answered, nothing happened,
 * later perhaps. `answered`: the cluster has decided, and would decide so again. `unknown`: it may have happened.
 */
export type Failure = {
  readonly kind: 'refused' | 'saturated' | 'answered' | 'unknown'
  readonly error: ConnectError
  /** In words, behind the cluster's name. */
  readonly text: string
  readonly retryAfterMs: number | undefined
}

/** Codes with which a scheduler says that it decided; a proxy or a broken process uses the others. */
const decided: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Aborted,
  Code.OutOfRange,
  Code.Unimplemented,
  Code.Unauthenticated
])

/** Reads what a call to a cluster threw. */
export function failureOf(thrown: unknown): Failure {
  const error = ConnectError.from(thrown)
  const retryAfterMs = retryAfterOf(error)
  const chain = causesOf(error.cause)
  const text = error.rawMessage
  if (chain.some(isBeforeSending)) return { kind: 'refused', error, retryAfterMs, text: 'refused the connection' }
  if (chain.some(({ code }) => code !== undefined))
    return { kind: 'unknown', error, retryAfterMs, text: `broke off the call: ${text}` }
  if (error.code === Code.ResourceExhausted)
    return { kind: 'saturated', error, retryAfterMs, text: `is saturated: ${text}` }
  if (decided.has(error.code)) return { kind: 'answered', error, retryAfterMs, text }
  return { kind: 'unknown', error, retryAfterMs, text: `failed: ${text}` }
}

/** Whether the cluster says that it has no such sandbox. */
export const isNotFound = ({ kind, error }: Failure): boolean => kind === 'answered' && error.code === Code.NotFound

type Cause = { readonly code?: unknown; readonly syscall?: unknown }

/** Errors of sockets have a code, as text; errors of calls a number. */
function causesOf(cause: unknown): readonly Cause[] {
  const found: Cause[] = []
  for (let next = cause; next instanceof Error && found.length < 10; next = next.cause) {
    const { code, syscall } = next as Cause
    found.push({ code: typeof code === 'string' ? code : undefined, syscall })
  }
  return found
}

function isBeforeSending({ code, syscall }: Cause): boolean {
  return code === 'ECONNREFUSED' || syscall === 'connect' || syscall === 'getaddrinfo'
}

/** In seconds, as schedulers send it; a day at most. */
function retryAfterOf({ metadata }: ConnectError): number | undefined {
  const asked = retryAfterMs(metadata.get('retry-after'))
  return asked === undefined ? undefined : Math.min(asked, longestMs)
}
