import type { Clock } from '../clock.ts'
import type { ApiServer } from './api-server.ts'
import { retryAfterMs } from '../backoff.ts'
import { causeOf } from './errors.ts'
import { type Fields, FieldTable } from './fields.ts'
import { statusMessage } from '../json.ts'
import { ListReader, type PageEnd } from './list-reader.ts'
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
 * Each page is asked for while the one before it is still read: the server's work and ours take turns otherwise.
 * Never throws; a token that expired between two pages is a failure as any other, after which the caller begins again.
 */
export async function list(request: ListRequest): Promise<ListEnd> {
  const { fields } = request
  const how = { fields: fields && new FieldTable(fields), shares: new SharedParts() }
  const ahead = new Ahead(request)
  let page = new Page(request)
  for (;;) {
    const end = await page.read(new ListReader(how), token => ahead.ask(token))
    if ('reason' in end || end.next === undefined) {
      ahead.giveUp()
      return 'reason' in end ? end : { ok: true, resourceVersion: end.resourceVersion }
    }
    page = ahead.take(end.next)
  }
}

/** The page that is asked for already. */
class Ahead {
  readonly #request: ListRequest
  #page: Page | undefined

  constructor(request: ListRequest) {
    this.#request = request
  }

  ask(token: string): void {
    this.#page ??= new Page(this.#request, token)
  }

  /** The page of that token, asked for now if it was not. */
  take(token: string): Page {
    const page = this.#page?.token === token ? this.#page : undefined
    if (!page) this.giveUp()
    this.#page = undefined
    return page ?? new Page(this.#request, token)
  }

  giveUp(): void {
    this.#page?.close()
    this.#page = undefined
  }
}

/** One page, asked for at once. */
class Page {
  /** Where it is to be had; undefined for the first. */
  readonly token: string | undefined
  readonly #request: ListRequest
  readonly #controller = new AbortController()
  readonly #stream: Promise<WireStream>
  readonly #abort = (): void => this.#controller.abort()

  constructor(request: ListRequest, token?: string) {
    this.#request = request
    this.token = token
    const { api, path, pageSize, signal } = request
    if (signal.aborted) this.#abort()
    signal.addEventListener('abort', this.#abort)
    const query = { ...request.query, limit: pageSize, continue: token }
    const ask = { method: 'GET', path, query, timeoutMs: pageTimeoutMs, signal: this.#controller.signal } as const
    this.#stream = api.stream(ask)
    // Whoever reads the page hears of it.
    this.#stream.catch(() => {})
  }

  /** Reads it to its end. The callback is told where the next one is to be had, perhaps more than once. */
  async read(reader: ListReader, onNext: (token: string) => void): Promise<PageEnd | Failure> {
    const cancel = this.#request.clock.after(pageTimeoutMs, this.#abort)
    try {
      const stream = await this.#stream
      return stream.status === 200 ? await this.#objects(stream, reader, onNext) : await refused(stream)
    } catch (error) {
      return { ok: false, reason: causeOf(error), unreachable: true }
    } finally {
      cancel()
      this.close()
    }
  }

  /** Also closes a connection on which more would come. */
  close(): void {
    this.#request.signal.removeEventListener('abort', this.#abort)
    this.#abort()
  }

  /** Other work runs between two chunks: a chunk is what we do in one go. */
  async #objects(
    { chunks }: WireStream,
    reader: ListReader,
    onNext: (token: string) => void
  ): Promise<PageEnd | Failure> {
    const { onItems } = this.#request
    for await (const chunk of chunks) {
      const items = taken(() => reader.push(chunk))
      if ('reason' in items) return items
      if (reader.next !== undefined) onNext(reader.next)
      if (items.length > 0) onItems(items)
    }
    const end = taken(() => reader.end())
    if ('items' in end && end.items.length > 0) onItems(end.items)
    return end
  }
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
