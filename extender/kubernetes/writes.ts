import type { ApiRequest, ApiServer } from './api-server.ts'
import { retryAfterMs } from '../backoff.ts'
import { causeOf } from './errors.ts'
import { object, objects, statusMessage, text } from '../json.ts'

/** A pod as this folder writes to it; the uid is a precondition, so that a namesake is never hit. */
export type PodRef = { readonly namespace: string; readonly name: string; readonly uid: string }

/**
 * How one write ended. `gone`: no pod of that uid. `conflict`: somebody wrote in between.
 * `failed`: anything else, a lost answer included, so that it may have happened all the same.
 */
export type WriteResult =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'conflict'; readonly message: string }
  | {
      readonly outcome: 'failed'
      readonly message: string
      readonly retryAfterMs?: number
      /** Of the answer; absent where none came. */
      readonly status?: number
      /** The first cause that the answer names, such as `DisruptionBudget`. */
      readonly cause?: string
    }

/** The pod's path, escaped. */
export function podPath({ namespace, name }: PodRef): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
}

/** One attempt at a write; never throws. */
export async function writeOnce(api: ApiServer, request: ApiRequest): Promise<WriteResult> {
  try {
    const { status, headers, body } = await api.request(request)
    if (status < 300) return { outcome: 'done' }
    const message = statusMessage(status, body)
    if (status === 404 || isOtherUid(status, body)) return { outcome: 'gone' }
    if (status === 409 || isBoundAlready(status, body)) return { outcome: 'conflict', message }
    const retryAfter = retryAfterMs(headers['retry-after'])
    const cause = text(objects(object(object(body).details).causes)[0]?.reason)
    return {
      ...{ outcome: 'failed', message, status },
      ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
      ...(cause === undefined ? {} : { cause })
    }
  } catch (error) {
    return { outcome: 'failed', message: causeOf(error) }
  }
}

/** What a nomination gets that comes after the binding: 422 on the field, since 1.36. */
function isBoundAlready(status: number, body: unknown): boolean {
  const { causes } = object(object(body).details)
  return status === 422 && objects(causes).some(cause => cause.field === 'status.nominatedNodeName')
}

/** What a patch with a wrong `metadata.uid` gets from 1.36: 422 "field is immutable", and not the 409 of a precondition. */
function isOtherUid(status: number, body: unknown): boolean {
  const { causes } = object(object(body).details)
  return status === 422 && objects(causes).some(cause => cause.field === 'metadata.uid')
}
