import type { Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import type { FastifyBaseLogger } from 'fastify'
import { Registry } from 'prom-client'
import { type Clock, type Random, systemClock } from '../../clock.ts'
import { reasonOf, UsageError } from '../../errors.ts'
import { PlacementService } from '../proto/generated/sandbox/v1/placement_pb.js'
import { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { sandboxRoutes } from '../rest.ts'
import { type RunningServer, startServer } from '../server.ts'
import { Clusters, type Probe } from './clusters.ts'
import { counted } from './counting.ts'
import { Debts } from './debts.ts'
import type { Settings } from './entry.ts'
import { FallbackStore } from './fallback-store.ts'
import { Finder } from './finder.ts'
import { Holder } from './holder.ts'
import { FrontDoorMetrics } from './metrics.ts'
import { placementRoutes } from './placement-route.ts'
import { Placer } from './placer.ts'
import { readyz } from './readyz.ts'
import { RedisStore } from './redis-store.ts'
import { placementService, schedulerService } from './service.ts'
import { MemoryStore, type Store } from './store.ts'
import { Turns } from './turns.ts'
import { Upstream } from './upstream.ts'

export { entriesOfFlags, settingsOfFile } from './settings.ts'

export type GlobalOptions = {
  readonly settings: Settings
  readonly log: FastifyBaseLogger
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
  /** The URL of a Redis, or the path of its socket. Absent: placements are remembered in this process alone. */
  readonly redis?: string
  readonly registry?: Registry
  /** How long one cluster may take to answer. Default 10 s. */
  readonly callMs?: number
  readonly clock?: Clock
  readonly random?: Random
  readonly transport?: (endpoint: string) => Transport
  readonly probe?: Probe
}

/** Starts the front door: one SchedulerService over the schedulers of all clusters. */
export async function startGlobal(options: GlobalOptions): Promise<RunningServer> {
  const { settings, log, host, port, registry = new Registry() } = options
  if (settings.clusters.length === 0)
    throw new UsageError('there is no cluster: name one with --cluster NAME=URL, or in the configuration file')
  const { clusters, debts, store, door } = await partsOf(options, registry)
  await clusters.start()
  debts.start()
  const [scheduler, placement] = [schedulerService(door), placementService(door)]
  const stop = async (): Promise<void> => {
    clusters.close()
    debts.close()
    await store.close()
  }
  const server = await startServer({
    log,
    registry,
    checks: [{ name: 'clusters', problem: () => clusters.problem() }],
    services: router => {
      router.service(SchedulerService, scheduler)
      router.service(PlacementService, placement)
    },
    routes: (app, closing) => {
      sandboxRoutes(app, scheduler, closing)
      placementRoutes(app, placement)
    },
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port })
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { url: server.url, close: () => server.close().then(stop) }
}

async function partsOf(options: GlobalOptions, registry: Registry) {
  const { settings, log, clock = systemClock, random = Math.random, callMs = 10_000 } = options
  const { transport = overHttp, probe = readyz } = options
  const metrics = new FrontDoorMetrics(registry)
  const upstreams = settings.clusters.map(entry => new Upstream(entry, transport(entry.endpoint), clock))
  const { failoverAfterMs } = settings
  const clusters = new Clusters({ upstreams, probe, clock, random, metrics, failoverAfterMs, count: counted })
  const store = await storeOf(options, clock, metrics)
  const turns = new Turns()
  const token = (): string => `${clock.wall().toString(36)}-${random().toString(36).slice(2)}`
  const finder = new Finder({ clusters, store, token, callMs })
  const debts = new Debts({ clusters, store, turns, clock, log })
  const holder = new Holder({ clusters, store, finder, debts, token, callMs })
  const placer = new Placer({ settings, clusters, store, finder, holder, turns, random, metrics })
  metrics.watch(registry, {
    conditions: () => clusters.views().map(({ cluster, condition }) => [cluster.name, condition] as const),
    debts: () => debts.count
  })
  return { clusters, debts, store, door: { clusters, placer, finder, clock, callMs } }
}

async function storeOf({ redis, log }: GlobalOptions, clock: Clock, metrics: FrontDoorMetrics): Promise<Store> {
  const memory = new MemoryStore(clock)
  if (redis === undefined) return memory
  return new FallbackStore(await RedisStore.open(redis), memory, {
    onError: (error, isNew) => {
      metrics.storeFailed()
      const why = 'Redis does not serve: placements are remembered in this process alone, and clusters are asked'
      if (isNew) log.warn({ err: reasonOf(error) }, why)
    },
    onServing: () => log.info('Redis serves again')
  })
}

const overHttp = (baseUrl: string): Transport =>
  createConnectTransport({ baseUrl, httpVersion: '1.1', readMaxBytes: 16 * 1024 * 1024 })
