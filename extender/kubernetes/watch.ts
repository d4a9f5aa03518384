import type { Clock } from '../clock.ts'
import type { ApiServer } from './api-server.ts'
import { causeOf } from './errors.ts'
import { retryAfterMs } from '../backoff.ts'
import { type Json, integer, object, statusMessage, text } from '../json.ts'
import { LineSplitter } from './lines.ts'

/**
 * How a watch ended. `closed`: as agreed, go on from the last version. `expired`: the version is too old, list again.
 * `busy`: not now, go on after a while. `broken`: the answer makes no sense, list again after a while.
 */
export type WatchEnd = {
  readonly kind: 'closed' | 'expired' | 'busy' | 'broken'
  readonly reason: string
  readonly retryAfterMs?: number
  /** The server did not answer at all. */
  readonly unreachable?: boolean
}

export type WatchRequest = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly path: string
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>
  /** Without a byte for so long the connection counts as dead. */
  readonly idleMs: number
  readonly signal: AbortSignal
  /** The beginning of the answer, and each chunk before it is read. */
  readonly onBytes: () => void
  /** Each event but ERROR; its object has a resource version. */
  readonly onEvent: (type: string, object: Json) => void
}

const types = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'])
const longestLine = 16 * 1024 * 1024

/** One watch, from the request to its end; never throws. */
export async function watch(request: WatchRequest): Promise<WatchEnd> {
  const { api, path, query, idleMs } = request
  const dog = new Watchdog(request)
  let answered = false
  try {
    const stream = await api.stream({ method: 'GET', path, query, timeoutMs: idleMs, signal: dog.signal })
    answered = true
    request.onBytes()
    if (stream.status !== 200) return refused(stream.status, stream.headers)
    return await read(stream.chunks, request, dog)
  } catch (error) {
    const reason = dog.bit ? `nothing came for ${idleMs} ms` : causeOf(error)
    return { kind: 'busy', reason, unreachable: !answered }
  } finally {
    dog.end()
  }
}

function refused(status: number, headers: Readonly<Record<string, string>>): WatchEnd {
  const reason = `the watch was answered with HTTP ${status}`
  if (status === 410) return { kind: 'expired', reason }
  const retryAfter = retryAfterMs(headers['retry-after'])
  const kind = status === 429 || status >= 500 ? 'busy' : 'broken'
  return retryAfter === undefined ? { kind, reason } : { kind, reason, retryAfterMs: retryAfter }
}

async function read(chunks: AsyncIterable<Uint8Array>, request: WatchRequest, dog: Watchdog): Promise<WatchEnd> {
  const splitter = new LineSplitter(longestLine)
  for await (const chunk of chunks) {
    dog.feed()
    request.onBytes()
    const end = takeChunk(splitter, chunk, request)
    if (end) return end
  }
  return { kind: 'closed', reason: 'the server closed the watch' }
}

function takeChunk(splitter: LineSplitter, chunk: Uint8Array, request: WatchRequest): WatchEnd | undefined {
  try {
    for (const line of splitter.push(chunk)) {
      const end = takeLine(line, request)
      if (end) return end
    }
  } catch (error) {
    return { kind: 'broken', reason: causeOf(error) }
  }
  return undefined
}

/** A line that is no event may hide a change: the watch ends, and the list tells the truth. */
function takeLine(line: string, request: WatchRequest): WatchEnd | undefined {
  const event = object(JSON.parse(line))
  const type = text(event.type)
  const json = object(event.object)
  if (type === 'ERROR') return failed(json)
  if (!type || !types.has(type) || text(object(json.metadata).resourceVersion) === undefined) {
    return { kind: 'broken', reason: 'the watch sent something that is no event' }
  }
  request.onEvent(type, json)
  return undefined
}

function failed(status: Json): WatchEnd {
  const code = integer(status.code) ?? 0
  const reason = statusMessage(code, status)
  if (code === 410) return { kind: 'expired', reason }
  const seconds = integer(object(status.details).retryAfterSeconds)
  const kind = code === 429 || code >= 500 ? 'busy' : 'broken'
  return seconds === undefined ? { kind, reason } : { kind, reason, retryAfterMs: seconds * 1000 }
}

/** Aborts a watch on which nothing comes: a half-open connection never ends by itself. */
class Watchdog {
  readonly #controller = new AbortController()
  readonly #request: WatchRequest
  readonly #abort = (): void => this.#controller.abort()
  #fed: number
  #cancel: () => void
  bit = false

  constructor(request: WatchRequest) {
    this.#request = request
    this.#fed = request.clock.now()
    this.#cancel = request.clock.after(request.idleMs, () => this.#look())
    if (request.signal.aborted) this.#abort()
    request.signal.addEventListener('abort', this.#abort)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  feed(): void {
    this.#fed = this.#request.clock.now()
  }

  /** One timer that is moved on, in place of one per chunk. */
  #look(): void {
    const left = this.#fed + this.#request.idleMs - this.#request.clock.now()
    if (left > 0) {
      this.#cancel = this.#request.clock.after(left, () => this.#look())
      return
    }
    this.bit = true
    this.#abort()
  }

  /** Also closes a connection that is still open. */
  end(): void {
    this.#cancel()
    this.#request.signal.removeEventListener('abort', this.#abort)
    this.#abort()
  }
}
