import type { ApiServer } from './api-server.ts'
import { retryAfterMs } from '../backoff.ts'
import { causeOf } from './errors.ts'
import { object, statusMessage, text } from '../json.ts'

export type ListRequest = {
  readonly api: ApiServer
  readonly path: string
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>
  readonly pageSize: number
  readonly signal: AbortSignal
  /** Each page's objects, as they are on the wire. */
  readonly onPage: (items: readonly unknown[]) => void
}

/** `resourceVersion` is the one that all pages show. */
export type ListEnd = { readonly ok: true; readonly resourceVersion: string } | Failure

type Failure = {
  readonly ok: false
  readonly reason: string
  readonly retryAfterMs?: number
  /** The server did not answer at all. */
  readonly unreachable?: boolean
}

type Page = { readonly items: readonly unknown[]; readonly resourceVersion: string; readonly next: string | undefined }

/** A page may be long on its way from a busy server. */
const pageTimeoutMs = 60_000

/**
 * A consistent list in pages: without a resource version the server answers from a quorum, never from an old cache.
 * Never throws; a token that expired between two pages is a failure as any other, after which the caller begins again.
 */
export async function list(request: ListRequest): Promise<ListEnd> {
  let next: string | undefined
  for (;;) {
    const page = await fetchPage(request, next)
    if ('reason' in page) return page
    // The await above has let other work run; a page is what we do in one go.
    request.onPage(page.items)
    if (page.next === undefined) return { ok: true, resourceVersion: page.resourceVersion }
    next = page.next
  }
}

async function fetchPage(request: ListRequest, token?: string): Promise<Page | Failure> {
  const { api, path, pageSize, signal } = request
  const query = { ...request.query, limit: pageSize, continue: token }
  try {
    const { status, headers, body } = await api.request({
      ...{ method: 'GET', path, query },
      ...{ timeoutMs: pageTimeoutMs, signal }
    })
    if (status === 200) return pageOf(body)
    const retryAfter = retryAfterMs(headers['retry-after'])
    const reason = `the list was answered with ${status}: ${statusMessage(status, body)}`
    return retryAfter === undefined ? { ok: false, reason } : { ok: false, reason, retryAfterMs: retryAfter }
  } catch (error) {
    return { ok: false, reason: causeOf(error), unreachable: true }
  }
}

function pageOf(body: unknown): Page | Failure {
  const metadata = object(object(body).metadata)
  const resourceVersion = text(metadata.resourceVersion)
  const { items } = object(body)
  // Go writes an empty list as null; all else that is no list is not to be taken for an empty cluster.
  if (resourceVersion === undefined || (items !== null && !Array.isArray(items))) {
    return { ok: false, reason: 'the answer is no list' }
  }
  return { items: items ?? [], resourceVersion, next: text(metadata.continue) }
}

/** True where both are decimal, as those of etcd are, and `a` is older. */
export function isOlder(a: string, b: string): boolean {
  const decimal = /^\d+$/
  return decimal.test(a) && decimal.test(b) && BigInt(a) < BigInt(b)
}
