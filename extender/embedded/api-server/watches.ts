import type { ServerResponse } from 'node:http'
import { apiVersionOf } from '../api/resource.ts'
import type { ListOptions, WatchEvent } from '../store/client.ts'
import { StatusError } from '../store/objects.ts'
import type { Answer, Call } from './call.ts'
import { shaper } from './presentation.ts'
import { flag, integer, param, selection } from './query.ts'
import { failure, statusOf } from './statuses.ts'
import { lineOf } from './watch-lines.ts'
import { WatchStream } from './watch-stream.ts'

/** Upstream ends a watch that names no time after 30 to 60 minutes. */
const usualSeconds = 1800
const initialEventsEnd = 'k8s.io/initial-events-end'

/** What goes out: an event, or a line that only this watcher gets. */
type Item = WatchEvent | Buffer

/** A watch: replay from a version, then events as they come, bookmarks between them, until its time is up. */
export function watchOf(call: Call): Answer {
  const { target, query } = call
  checkInitialEvents(call)
  const { namespace, name } = target
  const selected = selection(query)
  const named = name === undefined ? [] : [`metadata.name=${name}`]
  const fieldSelector = [...named, selected.fieldSelector ?? []].flat().join(',')
  const options = {
    ...selected,
    ...(fieldSelector !== '' && { fieldSelector }),
    ...(namespace !== undefined && { namespace })
  }
  // What is wrong with the selectors must be said before the answer begins.
  call.parts.api.watch(target.resource.id, () => {}, { ...options, from: call.parts.api.resourceVersion })()
  return { type: 'application/json', stream: response => begin(call, response, options) }
}

function checkInitialEvents({ query }: Call): void {
  if (query.sendInitialEvents === undefined) return
  if (param(query, 'resourceVersionMatch') === 'NotOlderThan') return
  const message =
    'sendInitialEvents: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'
  throw new StatusError(422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: ${message}`, {
    group: 'meta.k8s.io',
    kind: 'ListOptions'
  })
}

function begin(call: Call, response: ServerResponse, options: ListOptions): void {
  const { parts, query } = call
  const stream = new WatchStream<Item>({
    response,
    line: liner(call),
    clock: parts.clock,
    backlog: parts.watches.backlog,
    patienceMs: parts.watches.patienceMs
  })
  const stops = [subscribe(call, stream, options)]
  stream.bound()
  const seconds = integer(query, 'timeoutSeconds') ?? usualSeconds * (1 + parts.random())
  stops.push(parts.clock.after(seconds * 1000, () => stream.end()))
  if (flag(query, 'allowWatchBookmarks')) stops.push(bookmarking(call, stream))
  response.on('close', () => {
    for (const stop of stops) stop()
  })
  response.flushHeaders()
}

/** Refusals become an event, as upstream's do: the answer has begun. */
function subscribe({ parts, target, query }: Call, stream: WatchStream<Item>, options: ListOptions): () => void {
  const { api } = parts
  const from = flag(query, 'sendInitialEvents') ? undefined : param(query, 'resourceVersion')
  try {
    const stop = api.watch(target.resource.id, event => stream.push(event), {
      ...options,
      ...(from !== undefined && { from })
    })
    if (flag(query, 'sendInitialEvents') && flag(query, 'allowWatchBookmarks'))
      stream.push(bookmark(target, api.resourceVersion, { [initialEventsEnd]: 'true' }))
    return stop
  } catch (error) {
    stream.push(lineOf('ERROR', failure(expired(statusOf(error)))))
    stream.end()
    return () => {}
  }
}

/** A version that is not there yet was another server's: only a new list helps. */
function expired(error: StatusError): StatusError {
  return error.status === 504 ? new StatusError(410, 'Expired', error.message) : error
}

function bookmarking({ parts, target }: Call, stream: WatchStream<Item>): () => void {
  const tick = (): void => {
    if (stream.idle) stream.push(bookmark(target, parts.api.resourceVersion))
    cancel = parts.clock.after(parts.watches.bookmarkMs, tick)
  }
  let cancel = parts.clock.after(parts.watches.bookmarkMs, tick)
  return () => cancel()
}

function bookmark(
  { resource, version }: Call['target'],
  resourceVersion: string,
  annotations?: Readonly<Record<string, string>>
): Buffer {
  return lineOf('BOOKMARK', {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource, version),
    metadata: { resourceVersion, creationTimestamp: null, ...(annotations && { annotations }) }
  })
}

/** Plain objects are written once for all watchers; other shapes once for each. */
function liner(call: Call): (item: Item) => Buffer {
  const { parts, shape } = call
  if (shape === 'Object' && !needsVersion(call))
    return item => (Buffer.isBuffer(item) ? item : parts.watches.lines.of(item))
  const shaped = shaper(call)
  return item => (Buffer.isBuffer(item) ? item : lineOf(item.type, shaped(item.object)))
}

function needsVersion({ target: { resource, version } }: Call): boolean {
  return version !== resource.version
}
