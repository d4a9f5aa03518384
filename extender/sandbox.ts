import { createConnectTransport } from '@connectrpc/connect-node'
import { type Logger, pino } from 'pino'
import { Registry } from 'prom-client'
import { type Clock, type Random, systemClock } from './clock.ts'
import { connect } from './kubernetes/connection.ts'
import { type KubernetesMetrics, kubernetesMetrics } from './kubernetes/metrics.ts'
import { SandboxCluster } from './sandbox-cluster.ts'
import { postConfiguration } from './sandbox-configuration.ts'
import { type PoolOptions, poolsOf } from './sandbox-pools.ts'
import { canStartRedis, startRedis } from './sandbox-redis.ts'
import { Publisher as EventsPublisher } from './sandboxes/events/publisher.ts'
import { MemoryStore } from './sandboxes/idempotence/memory.ts'
import { RedisStore } from './sandboxes/idempotence/redis.ts'
import type { IdempotenceStore } from './sandboxes/idempotence-store.ts'
import { SchedulerService } from './sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { sandboxRoutes } from './sandboxes/rest.ts'
import { openScheduler } from './sandboxes/scheduler/open.ts'
import type { Configure, Kubernetes, Publisher, Settings } from './sandboxes/scheduler/ports.ts'
import { defaultTemplate, Templates } from './sandboxes/scheduler/templates.ts'
import { startServer } from './sandboxes/server.ts'

/** How the scheduler of one cluster's sandboxes is started; everything has a default. */
export type SchedulerOptions = PoolOptions & {
  /** Default 50052; 0 takes any that is free. */
  readonly port?: number
  readonly host?: string
  readonly kubeconfig?: string
  /** In place of a kubeconfig. */
  readonly kubernetes?: Kubernetes
  /** The name of this cluster in answers and events. */
  readonly cluster?: string
  readonly namespace?: string
  /** Milliseconds, as all durations here. Default 15 minutes. */
  readonly sandboxTtl?: number
  /** Default 24 hours. */
  readonly idempotenceTtl?: number
  readonly maxLifetime?: number
  /** Default 2 minutes. */
  readonly startTimeout?: number
  /** An end that nobody takes in is kept for so long; default 1 minute. */
  readonly holdEvents?: number
  /** A request that says nothing counts as under way for so long; default 30 seconds. */
  readonly lease?: number
  readonly enableEvents?: boolean
  /** Of the Events Service. */
  readonly events?: string
  /** In place of the Events Service. */
  readonly publisher?: Publisher
  /** A URL; else REDIS_URL, else a redis-server of our own where there is one. False: memory. */
  readonly redis?: string | false
  readonly idempotenceStrict?: boolean
  readonly verbose?: boolean
  /** The image of the template `default`. */
  readonly image?: string
  /** In place of a POST to the pod. */
  readonly configure?: Configure
  readonly log?: Logger
  readonly registry?: Registry
  readonly clock?: Clock
  readonly random?: Random
}

export type StartedScheduler = {
  readonly url: string
  /** Answers what is under way, and leaves all sandboxes as they are. */
  close(): Promise<void>
}

const minute = 60_000
const usualImage = 'muster-mock-sandbox:latest'

/** Starts the scheduler service: Connect and plain routes on one port, over the cluster of a kubeconfig. */
export async function startScheduler(options: SchedulerOptions = {}): Promise<StartedScheduler> {
  const ground = groundOf(options)
  const closing: Closing = []
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end()
  }
  try {
    const url = await start(ground, closing)
    return { url, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Answers the URL; what is to be ended later is in `closing`, the last first. */
async function start(ground: Ground, closing: Closing): Promise<string> {
  const { options, log, registry, settings } = ground
  const kubernetes = options.kubernetes ?? (await clusterOf(ground, closing))
  const store = await storeOf(ground, closing)
  const publisher = options.enableEvents ? (options.publisher ?? publisherOf(ground, closing)) : undefined
  const templates = templatesOf(options)
  const { configure = postConfiguration } = options
  const parts = { ...ground, kubernetes, store, templates, configure, ...(publisher && { publisher }) }
  const scheduler = openScheduler(parts)
  closing.push(() => scheduler.stop())
  const { host, port = 50_052 } = options
  const server = await startServer({
    ...{ log, registry, port, checks: scheduler.checks, ...(host !== undefined && { host }) },
    services: router => router.service(SchedulerService, scheduler.service),
    routes: (app, ending) => sandboxRoutes(app, scheduler.service, ending)
  })
  closing.push(() => server.close())
  const { namespace } = settings
  log.info({ url: server.url, namespace, events: publisher !== undefined }, 'scheduling sandboxes')
  return server.url
}

type Ground = {
  readonly options: SchedulerOptions
  readonly log: Logger
  readonly registry: Registry
  readonly clock: Clock
  readonly random: Random
  readonly metrics: KubernetesMetrics
  readonly settings: Settings
}

type Closing = (() => Promise<unknown>)[]

function groundOf(options: SchedulerOptions): Ground {
  const { verbose = false, registry = new Registry(), clock = systemClock, random = Math.random } = options
  const log = options.log ?? pino({ base: null, level: verbose ? 'debug' : 'info' })
  return { options, log, registry, clock, random, metrics: kubernetesMetrics(registry), settings: settingsOf(options) }
}

function settingsOf(options: SchedulerOptions): Settings {
  return {
    cluster: options.cluster ?? 'local',
    namespace: options.namespace ?? 'sandbox',
    ttlMs: options.sandboxTtl ?? 15 * minute,
    maxLifetimeMs: options.maxLifetime ?? 24 * 60 * minute,
    idempotenceTtlMs: options.idempotenceTtl ?? 24 * 60 * minute,
    strict: options.idempotenceStrict ?? false,
    startTimeoutMs: options.startTimeout ?? 2 * minute,
    holdMs: options.holdEvents ?? minute,
    resyncMs: minute / 2,
    pools: poolsOf(options)
  }
}

async function clusterOf(ground: Ground, closing: Closing): Promise<Kubernetes> {
  const { kubeconfig } = ground.options
  const { namespace } = ground.settings
  const api = await connect({ ...ground, ...(kubeconfig !== undefined && { kubeconfig }) })
  closing.push(() => api.close())
  const cluster = new SandboxCluster({ ...ground, api, namespace })
  await cluster.prepare().catch(() => ground.log.warn({ url: api.url }, 'the API server does not answer yet'))
  return cluster
}

/** One line says which: it decides what outlives a restart. */
async function storeOf(ground: Ground, closing: Closing): Promise<IdempotenceStore> {
  const store = await openStore(ground, closing)
  closing.push(() => store.close())
  return store
}

async function openStore({ options, log, clock, settings }: Ground, closing: Closing): Promise<IdempotenceStore> {
  const { redis = process.env.REDIS_URL, lease: leaseMs = 30_000 } = options
  const times = { ttlMs: settings.idempotenceTtlMs, leaseMs }
  if (redis === false || (redis === undefined && !canStartRedis())) {
    log.info(
      { store: 'memory' },
      'idempotence keys are in memory: those of ended sandboxes do not outlive this process'
    )
    return new MemoryStore(clock, times)
  }
  if (redis !== undefined) {
    log.info({ store: 'redis' }, 'idempotence keys are in Redis')
    return RedisStore.open({ url: redis, log, ...times })
  }
  const own = await startRedis()
  closing.push(() => own.stop())
  log.info({ store: 'redis' }, 'idempotence keys are in a redis-server of our own, which ends with this process')
  return RedisStore.open({ url: own.url, log, ...times })
}

function publisherOf({ options, clock, random }: Ground, closing: Closing): Publisher {
  const { events: baseUrl = 'http://127.0.0.1:50053' } = options
  const transport = createConnectTransport({ baseUrl, httpVersion: '1.1' })
  const publisher = new EventsPublisher({ transport, clock, random })
  closing.push(async () => publisher.close())
  return publisher
}

function templatesOf({ image = usualImage, templates = {} }: SchedulerOptions): Templates {
  return new Templates(new Map(Object.entries({ default: defaultTemplate(image), ...templates })))
}
