import type { ServerResponse } from 'node:http'
import { type KubeObject, type Reference, StatusError } from '../store/objects.ts'
import type { Answer, Call } from './call.ts'
import { at, list, text } from './fields.ts'
import type { LogLine } from './log-source.ts'
import { flag, integer, param, type Query } from './query.ts'
import { referenceOf } from './target.ts'

type Wish = {
  readonly call: Call
  readonly reference: Reference
  readonly container: string
}

/** `kubectl logs`: the lines so far, and with `follow` those to come. */
export function logsOf(call: Call): Answer {
  const { parts, target, query } = call
  const reference = referenceOf(target)
  const pod = parts.api.get(reference) ?? parts.api.notFound(reference)
  const wish = { call, reference, container: containerOf(pod, param(query, 'container')) }
  const lines = linesOf(wish)
  const wanted = selected(lines, query, parts.clock.wall())
  return {
    type: 'text/plain',
    stream: response => {
      if (wanted.length > 0) response.write(wanted.join(''))
      if (flag(query, 'follow')) follow(response, wish, lines.at(-1))
      else response.end()
    }
  }
}

function linesOf({ call: { parts, query }, reference, container }: Wish): readonly LogLine[] {
  return parts.logs?.logs(reference, { container, previous: flag(query, 'previous') }) ?? []
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

function selected(all: readonly LogLine[], query: Query, now: number): readonly string[] {
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

/** How often a log that is followed is looked at. */
const lookMs = 100
/** A reader who does not keep up is cut off when so much waits for him. */
const mostWaiting = 16 * 1024 * 1024

function follow(response: ServerResponse, wish: Wish, last: LogLine | undefined): void {
  const { clock } = wish.call.parts
  let seen = last
  const look = (): void => {
    // Asked before the lines are read: what a container writes last must not be missed.
    const isOver = hasEnded(wish)
    const lines = linesOf(wish)
    const fresh = lines.slice(seen === undefined ? 0 : lines.lastIndexOf(seen) + 1)
    seen = fresh.at(-1) ?? seen
    if (fresh.length > 0) response.write(fresh.map(line => printed(line, wish.call.query)).join(''))
    if (response.writableLength > mostWaiting) response.destroy()
    else if (isOver) response.end()
    else cancel = clock.after(lookMs, look)
  }
  let cancel = clock.after(lookMs, look)
  response.on('close', () => cancel())
  response.flushHeaders()
}

/** A container that has ended writes no more; nor does a pod that is gone. */
function hasEnded({ call: { parts }, reference, container }: Wish): boolean {
  const pod = parts.api.get(reference)
  if (!pod || ['Succeeded', 'Failed'].includes(text(pod, 'status.phase'))) return true
  const statuses = [...list(at(pod, 'status.initContainerStatuses')), ...list(at(pod, 'status.containerStatuses'))]
  return (
    at(
      statuses.find(each => text(each, 'name') === container),
      'state.terminated'
    ) !== undefined
  )
}
