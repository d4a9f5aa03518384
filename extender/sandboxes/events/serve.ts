import type { FastifyBaseLogger } from 'fastify'
import { Registry } from 'prom-client'
import { type Clock, type Random, systemClock } from '../../clock.ts'
import { EventsService } from '../proto/generated/sandbox/v1/events_pb.js'
import { type RunningServer, startServer } from '../server.ts'
import { type CloudEvent, fromCloudEvent } from './cloud-event.ts'
import { EventLog } from './event-log.ts'
import { FanOut } from './fan-out.ts'
import { Hooks, loadHooks } from './hooks.ts'
import { memoryStore } from './memory-store.ts'
import { type EventMetrics, eventMetrics } from './metrics.ts'
import { Readers } from './readers.ts'
import { redisStore } from './redis-store.ts'
import { eventRoutes } from './routes.ts'
import { eventsService } from './service.ts'
import type { EventStore, Remembered } from './store.ts'
import { guardedPost, type Resolve } from './webhooks/post.ts'
import { Receiver } from './webhooks/receiver.ts'
import { type WebhookOptions, type WebhookSetting, webhookSettings } from './webhooks/settings.ts'
import { Webhooks } from './webhooks/webhooks.ts'

export type EventsOptions = WebhookOptions & {
  readonly log: FastifyBaseLogger
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
  /** Modules that export `onTerminated`. */
  readonly hooks?: readonly string[]
  /** A URL; without it, everything is forgotten with the process. */
  readonly redis?: string | undefined
  readonly registry?: Registry
  readonly clock?: Clock
  readonly random?: Random
  /** A reader that takes nothing for so long is cut off. */
  readonly stallMs?: number
  /** Finds the addresses of webhooks. */
  readonly resolve?: Resolve
}

/** Starts the events service: what is published to it goes out to all who want to know. */
export async function startEvents(options: EventsOptions): Promise<RunningServer> {
  const { clock = systemClock, log, redis } = options
  const settings = await webhookSettings(options)
  const hooks = await loadHooks(options.hooks ?? [])
  const store = redis === undefined ? memoryStore(clock) : await redisStore(redis, clock, log)
  try {
    return await start({ ...options, settings, clock, store, loaded: hooks })
  } catch (error) {
    await store.close()
    throw error
  }
}

type Parts = EventsOptions & {
  readonly clock: Clock
  readonly store: EventStore
  readonly settings: readonly WebhookSetting[]
  readonly loaded: Awaited<ReturnType<typeof loadHooks>>
}

async function start(parts: Parts): Promise<RunningServer> {
  const { log, clock, store, settings, loaded, host = '127.0.0.1', port = 0, registry = new Registry() } = parts
  const metrics = eventMetrics(registry)
  const remembered = await store.restore(settings.map(({ url }) => url))
  const eventLog = logOf(remembered)
  const webhooks = new Webhooks(receivers(parts, metrics), remembered)
  const readers = new Readers({ log: eventLog, clock, metrics })
  const fanOut = new FanOut({
    store,
    eventLog,
    webhooks,
    hooks: new Hooks({ hooks: loaded, log, metrics }),
    log,
    metrics
  })
  metrics.watch({ remembered: () => eventLog.size, queued: () => webhooks.queued, dead: () => webhooks.deadCount })
  const stall = parts.stallMs === undefined ? {} : { stallMs: parts.stallMs }
  const server = await startServer({
    ...{ log, registry, host, port },
    services: router => void router.service(EventsService, eventsService({ fanOut, eventLog, readers, webhooks })),
    routes: (app, closing) => eventRoutes(app, { eventLog, readers, ...stall }, closing),
    checks: [{ name: 'store', problem: () => store.problem() }]
  })
  const close = async (): Promise<void> => {
    await server.close()
    await webhooks.close()
    await store.close()
  }
  return { url: server.url, close }
}

function logOf({ sequence, events }: Remembered): EventLog {
  const eventLog = new EventLog((events[0]?.sequence ?? sequence + 1) - 1)
  for (const { sequence: at, body } of events)
    eventLog.append({ sequence: at, body, event: fromCloudEvent(JSON.parse(body) as CloudEvent) })
  return eventLog
}

function receivers({ settings, store, clock, random = Math.random, log, resolve }: Parts, metrics: EventMetrics) {
  return settings.map(({ url, keys, rule }) => {
    const post = guardedPost(url, rule, resolve)
    return new Receiver({ webhook: { url, keys }, post, store, clock, random, log, metrics })
  })
}
