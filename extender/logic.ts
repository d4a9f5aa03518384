import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { Gangs } from './gangs/gangs.ts'
import type { Life, Logic } from './gangs/lives/life.ts'
import type { WorldPorts } from './gangs/ports.ts'
import { Lives } from './gangs/lives/lives.ts'
import { type GangMetrics, gangMetrics } from './gangs/metrics.ts'
import { profilesOf } from './gangs/membership/profiles.ts'
import { Quarantine } from './gangs/planning/quarantine.ts'
import { alone } from './gangs/lives/tenure.ts'
import type { ApiServer } from './kubernetes/api-server.ts'
import { Binder } from './kubernetes/binder.ts'
import { Cache } from './kubernetes/cache.ts'
import { EventRecorder } from './kubernetes/event-recorder.ts'
import { Evictor } from './kubernetes/evictor.ts'
import { Lease } from './kubernetes/lease.ts'
import type { KubernetesMetrics } from './kubernetes/metrics.ts'
import { Nominator } from './kubernetes/nominator.ts'
import type { Projector } from './kubernetes/projections.ts'
import { State } from './state.ts'
import type { Spans } from './telemetry/spans.ts'

/** Writes that may be under way at once, bindings and nominations each. */
const concurrency = 32

/** What every life of the logic stands in. */
export type Surroundings = {
  readonly config: Config
  readonly log: Logger
  readonly metrics: KubernetesMetrics
  readonly api: ApiServer
  readonly projector: Projector
  readonly tracer: Spans | undefined
  /** Under which events are reported. */
  readonly instance: string
  /** Told the API server's minor version. */
  readonly knew: (minor: number) => void
}

/** The lives of the logic, and the lease by which they lead where there are replicas; nothing of it runs yet. */
export function logicOf(
  surroundings: Surroundings,
  registry: Registry,
  onViolation: (error: unknown) => void
): { readonly lives: Lives; readonly lease: Lease | undefined } {
  const { log, tracer } = surroundings
  const [world, ofGangs] = [worldOf(surroundings), gangMetrics(registry)]
  const quarantine = new Quarantine(systemClock)
  const lease = leaseOf(surroundings)
  const lives = new Lives({
    ...{ clock: systemClock, log, metrics: ofGangs, tenure: lease ?? alone },
    wasRead: (seconds, leads) => {
      log.info({ seconds }, leads ? 'ready' : 'ready to take over')
      tracer?.recovered(seconds)
    },
    build: life => build({ ...surroundings, life, world, ofGangs, quarantine }),
    onViolation
  })
  return { lives, lease }
}

/** Of the kube-scheduler beside this muster, where there are replicas. */
function leaseOf({ config: { lease, leaseHolder }, api, log, metrics }: Surroundings): Lease | undefined {
  if (!lease) return undefined
  return new Lease({
    ...{ api, clock: systemClock, random: Math.random, log, metrics },
    ...lease,
    host: leaseHolder ?? hostname()
  })
}

/** What writes to the API server; it remembers nothing that a new life must not know. */
function worldOf({ api, metrics, log, instance }: Surroundings): WorldPorts {
  const clock = systemClock
  return {
    binder: new Binder({ api, clock, random: Math.random, metrics }),
    nominator: new Nominator(api, metrics),
    terminator: new Evictor(api, metrics),
    recorder: new EventRecorder({ api, clock, log, metrics, instance })
  }
}

type Birth = Surroundings & {
  readonly life: Life
  readonly world: WorldPorts
  readonly ofGangs: GangMetrics
  readonly quarantine: Quarantine
}

/** Everything of one life: the picture of the cluster, and what decides on it. */
function build(birth: Birth): Logic {
  const { config, log, metrics, api, projector, tracer, knew, life, world, ofGangs, quarantine } = birth
  const state = new State()
  const surprised = (error: unknown): void => life.surprised(error)
  const parts = { api, clock: systemClock, random: Math.random, log, metrics, projector, state, tracer }
  const cache = new Cache({ ...parts, idleMs: config.watchTimeoutMs, handlerFailed: surprised })
  const gangs = new Gangs({
    ...{
      state,
      clock: life.clock,
      random: Math.random,
      log,
      metrics: ofGangs,
      concurrency,
      epoch: () => life.epoch,
      tracer
    },
    ...life.ports(world),
    quarantine,
    profiles: profilesOf(config),
    scope: config.scope,
    outdated: () => cache.outdated(),
    caps: { size: config.maxGangSize, waiting: config.maxWaitingGangs },
    priorityCap: namespace => config.priorityCaps.get(namespace) ?? 0,
    settleMs: config.gangSettleMs,
    holdTtlMs: config.holdTtlMs,
    repairMs: config.repairTimeoutMs,
    resyncMs: config.resyncMs,
    bindTimeoutMs: config.bindTimeoutMs,
    onViolation: surprised
  })
  const read = async (): Promise<void> => {
    await cache.start()
    knew(await minorVersion(api))
  }
  return { gangs, checks: cache.checks(), read, stop: () => cache.stop() }
}

/** The API server's minor version: newer kube-schedulers read a short filter answer as a long one. */
async function minorVersion(api: ApiServer): Promise<number> {
  const answer = await api.request({ method: 'GET', path: '/version' }).catch(() => undefined)
  const body = answer?.body
  const minor = typeof body === 'object' && body !== null && 'minor' in body ? body.minor : undefined
  return Number.parseInt(typeof minor === 'string' ? minor : '0', 10) || 0
}
