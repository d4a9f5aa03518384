import type { ServerResponse } from 'node:http'
import { type KubeObject, StatusError } from '../store/objects.ts'
import type { Answer, Call } from './call.ts'
import { at, list, text } from './fields.ts'
import { flag, integer, param, type Query } from './query.ts'
import { referenceOf } from './target.ts'

export type LogLine = {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Without its end of line. */
  readonly text: string
}

/** What containers say, as the kubelet keeps it. */
export interface LogSource {
  /** What a container has said so far; `previous` asks for the run before its last restart. */
  lines(pod: KubeObject, container: string, previous: boolean): readonly LogLine[]
  /** Told of each further line, and of undefined once there will be none; the answer stops it. */
  follow(pod: KubeObject, container: string, listener: (line: LogLine | undefined) => void): () => void
}

type Wish = {
  readonly pod: KubeObject
  readonly container: string
  readonly query: Query
  readonly source: LogSource
}

/** `kubectl logs`: the lines so far, and with `follow` those to come. */
export function logsOf({ parts, target, query }: Call): Answer {
  const reference = referenceOf(target)
  const pod = parts.api.get(reference) ?? parts.api.notFound(reference)
  const container = containerOf(pod, param(query, 'container'))
  const source = parts.logs ?? silent
  const wish = { pod, container, query, source }
  const lines = wanted(wish, parts.clock.wall())
  return {
    type: 'text/plain',
    stream: response => {
      if (lines.length > 0) response.write(lines.join(''))
      if (flag(query, 'follow')) follow(response, wish)
      else response.end()
    }
  }
}

const silent: LogSource = {
  lines: () => [],
  follow(_pod, _container, listener) {
    listener(undefined)
    return () => {}
  }
}

function containerOf(pod: KubeObject, asked: string | undefined): string {
  const names = [...list(at(pod, 'spec.initContainers')), ...list(at(pod, 'spec.containers'))].map(each =>
    text(each, 'name')
  )
  const { name } = pod.metadata
  const preset = text(pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'], '')
  const chosen = asked ?? (preset === '' && names.length === 1 ? names[0] : undefined)
  if (chosen === undefined)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`)
  if (!names.includes(chosen)) throw badRequest(`container ${chosen} is not valid for pod ${name}`)
  if (text(pod, 'spec.nodeName') === '') throw badRequest(`pod ${name} does not have a host assigned`)
  return chosen
}

function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

function wanted({ pod, container, query, source }: Wish, now: number): readonly string[] {
  const all = source.lines(pod, container, flag(query, 'previous'))
  const from = earliest(query, now)
  const recent = from === undefined ? all : all.filter(line => line.at >= from)
  const tail = integer(query, 'tailLines')
  const last = tail === undefined ? recent : recent.slice(Math.max(0, recent.length - tail))
  return limited(
    last.map(line => printed(line, query)),
    integer(query, 'limitBytes')
  )
}

function earliest(query: Query, now: number): number | undefined {
  const seconds = integer(query, 'sinceSeconds')
  if (seconds !== undefined) return now - seconds * 1000
  const time = param(query, 'sinceTime')
  return time === undefined ? undefined : Date.parse(time)
}

function limited(lines: readonly string[], bytes: number | undefined): readonly string[] {
  if (bytes === undefined) return lines
  return [Buffer.from(lines.join('')).subarray(0, bytes).toString()]
}

function printed(line: LogLine, query: Query): string {
  return `${flag(query, 'timestamps') ? `${new Date(line.at).toISOString()} ` : ''}${line.text}\n`
}

/** A reader who does not keep up misses nothing but is cut off when too much waits for him. */
const mostWaiting = 16 * 1024 * 1024

function follow(response: ServerResponse, { pod, container, query, source }: Wish): void {
  const stop = source.follow(pod, container, line => {
    if (line === undefined) response.end()
    else if (response.writableLength > mostWaiting) response.destroy()
    else response.write(printed(line, query))
  })
  response.on('close', stop)
  response.flushHeaders()
}
