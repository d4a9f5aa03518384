import type { Clock } from '../clock.ts'
import type { ApiServer } from './api-server.ts'
import { retryAfterMs } from '../backoff.ts'
import { causeOf } from './errors.ts'
import { type Fields, FieldTable } from './fields.ts'
import { statusMessage } from '../json.ts'
import { ListReader, type ListReaderOptions, type PageEnd } from './list-reader.ts'
import { SharedParts } from './shared-parts.ts'
import type { WireStream } from './transport.ts'

export type ListRequest = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly path: string
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>
  readonly pageSize: number
  readonly signal: AbortSignal
  /** What of each object is read; without it all. */
  readonly fields?: Fields | undefined
  /** Objects as they are on the wire, less what nobody reads, some at a time as they arrive. */
  readonly onItems: (items: readonly unknown[]) => void
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

/** A page may be long on its way from a busy server. */
const pageTimeoutMs = 60_000
/** What is read of an answer that is no list. */
const longestRefusal = 64 * 1024

/**
 * A consistent list in pages: without a resource version the server answers from a quorum, never from an old cache.
 * Never throws; a token that expired between two pages is a failure as any other, after which the caller begins again.
 */
export async function list(request: ListRequest): Promise<ListEnd> {
  const { fields } = request
  const how = { fields: fields && new FieldTable(fields), shares: new SharedParts() }
  let next: string | undefined
  for (;;) {
    const page = await fetchPage(request, how, next)
    if ('reason' in page) return page
    if (page.next === undefined) return { ok: true, resourceVersion: page.resourceVersion }
    next = page.next
  }
}

async function fetchPage(request: ListRequest, how: ListReaderOptions, token?: string): Promise<PageEnd | Failure> {
  const { api, clock, path, pageSize } = request
  const query = { ...request.query, limit: pageSize, continue: token }
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  if (request.signal.aborted) abort()
  request.signal.addEventListener('abort', abort)
  const cancel = clock.after(pageTimeoutMs, abort)
  try {
    const { signal } = controller
    const stream = await api.stream({ method: 'GET', path, query, timeoutMs: pageTimeoutMs, signal })
    return stream.status === 200 ? await read(stream, new ListReader(how), request) : await refused(stream)
  } catch (error) {
    return { ok: false, reason: causeOf(error), unreachable: true }
  } finally {
    cancel()
    request.signal.removeEventListener('abort', abort)
    // Also closes a connection on which more would come.
    abort()
  }
}

/** Other work runs between two chunks: a chunk is what we do in one go. */
async function read({ chunks }: WireStream, reader: ListReader, { onItems }: ListRequest): Promise<PageEnd | Failure> {
  for await (const chunk of chunks) {
    const items = taken(() => reader.push(chunk))
    if ('reason' in items) return items
    if (items.length > 0) onItems(items)
  }
  const end = taken(() => reader.end())
  if ('items' in end && end.items.length > 0) onItems(end.items)
  return end
}

/** What makes no sense is no reason to doubt that the server is there. */
function taken<T extends object>(read: () => T): T | Failure {
  try {
    return read()
  } catch (error) {
    return { ok: false, reason: causeOf(error) }
  }
}

async function refused({ status, headers, chunks }: WireStream): Promise<Failure> {
  const reason = `the list was answered with ${status}: ${statusMessage(status, await bodyOf(chunks))}`
  const retryAfter = retryAfterMs(headers['retry-after'])
  return retryAfter === undefined ? { ok: false, reason } : { ok: false, reason, retryAfterMs: retryAfter }
}

/** Parsed JSON; undefined where it is none. */
async function bodyOf(chunks: AsyncIterable<Uint8Array>): Promise<unknown> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    pieces.push(chunk)
    size += chunk.length
    if (size > longestRefusal) return undefined
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString())
  } catch {
    return undefined
  }
}

/** True where both are decimal, as those of etcd are, and `a` is older. */
export function isOlder(a: string, b: string): boolean {
  const decimal = /^\d+$/
  return decimal.test(a) && decimal.test(b) && BigInt(a) < BigInt(b)
}
