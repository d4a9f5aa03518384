import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { invalid } from '../refusals.ts'
import type { EventLog } from './event-log.ts'
import { heartbeatMs, type Readers, type Told } from './readers.ts'
import { pageSizes } from './service.ts'

type Parts = {
  readonly eventLog: EventLog
  readonly readers: Readers
  /** A reader that takes nothing for so long, heartbeats neither, is cut off. */
  readonly stallMs?: number
}

const parameters = new Set(['after', 'limit'])
const streams = new Set(['/v1/events', '/sandbox.v1.EventsService/WatchEvents'])

/** GET /v1/events: a stream of server-sent events for who asks for one, else what came after `after`, at once. */
export function eventRoutes(app: FastifyInstance, parts: Parts, closing: AbortSignal): void {
  const { stallMs = 4 * heartbeatMs } = parts
  app.addHook('onRequest', async ({ routeOptions, raw }) => {
    // Without a listener, a socket on which nothing moves is destroyed.
    if (streams.has(routeOptions.url ?? '')) raw.socket.setTimeout(stallMs)
  })
  app.get('/v1/events', async (request, reply) => {
    const other = Object.keys(request.query as object).find(name => !parameters.has(name))
    if (other !== undefined) throw invalid(other, `${other}: is not known; there are ${[...parameters].join(' and ')}`)
    const wantsStream = request.headers.accept?.includes('text/event-stream') ?? false
    return wantsStream ? stream(request, reply, parts.readers, closing) : list(request, parts.eventLog)
  })
}

function list(request: FastifyRequest, eventLog: EventLog): object {
  const limit = Math.min(numberOf(request, 'limit') || pageSizes.usual, pageSizes.most)
  const after = numberOf(request, 'after') || eventLog.start
  const { events, gap } = eventLog.since(after, limit)
  return {
    events: events.map(({ sequence, body }) => ({ sequence, event: JSON.parse(body) as object })),
    gap: gap !== undefined,
    // What to ask for next.
    after: events.at(-1)?.sequence ?? (gap === undefined ? after : gap - 1)
  }
}

function stream(request: FastifyRequest, reply: FastifyReply, readers: Readers, closing: AbortSignal): FastifyReply {
  // Before the headers go out.
  readers.requireRoom()
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const told = readers.follow(placeOf(request), AbortSignal.any([closing, gone.signal]))
  return reply
    .type('text/event-stream')
    .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    .send(Readable.from(chunks(told)))
}

async function* chunks(told: AsyncIterable<Told>): AsyncGenerator<string> {
  yield 'retry: 1000\n\n'
  for await (const each of told) yield chunkOf(each)
}

function chunkOf(told: Told): string {
  if (told.kind === 'heartbeat') return ': heartbeat\n\n'
  if (told.kind === 'gap') return `event: gap\ndata: {"next":${told.next}}\n\n`
  const { sequence, event, body } = told.recorded
  return `id: ${sequence}\nevent: ${event.type}\ndata: ${body}\n\n`
}

/** Browsers send what they saw last by themselves when they connect again. */
function placeOf(request: FastifyRequest): number {
  const last = request.headers['last-event-id']
  if (last === undefined || last === '') return numberOf(request, 'after')
  return checked('Last-Event-ID', last)
}

function numberOf(request: FastifyRequest, name: string): number {
  const value = (request.query as Readonly<Record<string, unknown>>)[name]
  return value === undefined ? 0 : checked(name, value)
}

function checked(name: string, value: unknown): number {
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value))
    throw invalid(name, `${name}: ${JSON.stringify(value).slice(0, 60)} must be a whole number`)
  return Number(value)
}
