import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { type AppParts, buildApi, buildApp } from './app.ts'
import { systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { InvariantViolation, reasonOf } from './errors.ts'
import { keepsAnnotation } from './gangs/dialects.ts'
import { Gangs } from './gangs/gangs.ts'
import { profilesOf } from './gangs/profiles.ts'
import type { Life, WorldPorts } from './gangs/life.ts'
import { Lives, type Logic } from './gangs/lives.ts'
import { type GangMetrics, gangMetrics } from './gangs/metrics.ts'
import { Quarantine } from './gangs/quarantine.ts'
import type { ApiServer } from './kubernetes/api-server.ts'
import { Binder } from './kubernetes/binder.ts'
import { Cache } from './kubernetes/cache.ts'
import { connect } from './kubernetes/connection.ts'
import { EventRecorder } from './kubernetes/event-recorder.ts'
import { Evictor } from './kubernetes/evictor.ts'
import { type KubernetesMetrics, kubernetesMetrics } from './kubernetes/metrics.ts'
import { Nominator } from './kubernetes/nominator.ts'
import { Projector } from './kubernetes/projections.ts'
import { Listener } from './listener.ts'
import { State } from './state.ts'
import { logger } from './telemetry/logs.ts'
import { processMetrics } from './telemetry/metrics.ts'
import type { Spans } from './telemetry/spans.ts'
import { tracing } from './telemetry/tracing.ts'
import { Certificates } from './tls.ts'
import type { Call } from './verbs/ports.ts'
import { Underway } from './verbs/underway.ts'

const version = '0.1.0'
/** Writes that may be under way at once, bindings and nominations each. */
const concurrency = 32
const instance = hostname().slice(0, 128)
/** After the drain, answers may take so long to be written; then connections are cut. */
const closeMs = 1_000

/** Runs the extender until SIGTERM or SIGINT. */
export async function serve(config: Config): Promise<void> {
  const log = logger(config, process.stdout)
  endOnSurprise(log)
  const registry = new Registry()
  const { spans } = processMetrics(registry, version)
  const metrics = kubernetesMetrics(registry)
  const api = await connect({
    clock: systemClock,
    metrics,
    ...(config.kubeconfig === undefined ? {} : { kubeconfig: config.kubeconfig })
  })
  const tracer = await tracing({
    ...{ traces: config.traces, version, instance, clock: systemClock, random: Math.random, spans }
  })
  const told = { closing: false, minor: 0 }
  const projector = new Projector({ keepAnnotation: keepsAnnotation })
  const surroundings = {
    config,
    log,
    metrics,
    api,
    projector,
    tracer,
    knew: (minor: number) => void (told.minor = minor)
  }
  const [world, ofGangs] = [worldOf(surroundings), gangMetrics(registry)]
  const quarantine = new Quarantine(systemClock)
  const lives = new Lives({
    ...{ clock: systemClock, log, metrics: ofGangs },
    tookOver: seconds => {
      log.info({ seconds }, 'ready')
      tracer?.recovered(seconds)
    },
    build: life => build({ ...surroundings, life, world, ofGangs, quarantine }),
    onViolation: error => endWith(log, error)
  })
  const verbs = {
    gangs: lives,
    ready: () => lives.ready,
    project: projector.pod,
    absentIsUnresolvable: () => told.minor >= 36,
    underway: new Underway(),
    tracer: tracer && { called: (call: Call) => tracer.called(call, uid => lives.traceOf(uid)) }
  }
  const checks = [
    ...lives.checks(),
    { name: 'not closing', problem: () => (told.closing ? 'closing' : undefined) },
    { name: 'gangs', problem: () => lives.problem }
  ]
  const listeners = await open(config, { verbs, reports: lives.reports, checks, registry, logger: log }, log)
  onSignal(async signal => {
    told.closing = true
    log.info({ signal }, 'closing')
    await drain(config.drainTimeoutMs, verbs.underway, listeners)
    await Promise.race([tracer?.close(), sleep(closeMs, undefined, { ref: false })])
  })
  lives.start()
}

type Listeners = { readonly verbs: Listener; readonly api: Listener }

/** Answers from now on, if only that it is not ready. */
async function open(config: Config, parts: AppParts, log: Logger): Promise<Listeners> {
  const { tls, listen, apiListen } = config
  const certificates = tls && new Certificates({ files: tls, registry: parts.registry, log })
  const verbs = new Listener({ what: 'extender', log, certificates, clientNames: tls?.clientNames ?? [] })
  const api = new Listener({ what: 'API', log })
  await verbs.open(buildApp(parts, verbs.factory), listen)
  await api.open(buildApi(parts, api.factory), apiListen)
  if (!tls && !isLoopback(listen.host))
    log.warn({ host: listen.host }, 'the verbs are plain HTTP for whoever reaches this address; see --tls-cert')
  return { verbs, api }
}

/**
 * Gangs at the barrier may finish for so long, while new calls are still answered. Then kube-scheduler is told to go
 * elsewhere, and whoever still waits at the end of that time hears why. Health is told to the last.
 */
export async function drain(graceMs: number, underway: Underway, { verbs, api }: Listeners): Promise<void> {
  const end = systemClock.now() + graceMs
  const stop = systemClock.after(graceMs, () => underway.giveUp())
  await Promise.race([underway.answered(), sleep(graceMs, undefined, { ref: false })])
  await verbs.close(end - systemClock.now() + closeMs)
  stop()
  await api.close(closeMs)
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|::1)$/.test(host)
}

type Surroundings = {
  readonly config: Config
  readonly log: Logger
  readonly metrics: KubernetesMetrics
  readonly api: ApiServer
  readonly projector: Projector
  readonly tracer: Spans | undefined
  /** Told the API server's minor version. */
  readonly knew: (minor: number) => void
}

/** What writes to the API server; it remembers nothing that a new life must not know. */
function worldOf({ api, metrics, log }: Surroundings): WorldPorts {
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
  const cache = new Cache({ ...parts, handlerFailed: surprised })
  // Without a lease there is one life at a time, and a later one starts later.
  const epoch = systemClock.wall()
  const gangs = new Gangs({
    ...{
      state,
      clock: life.clock,
      random: Math.random,
      log,
      metrics: ofGangs,
      concurrency,
      epoch: () => epoch,
      tracer
    },
    ...life.ports(world),
    quarantine,
    profiles: profilesOf(config),
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

function onSignal(close: (signal: string) => Promise<void>): void {
  const end = async (signal: string): Promise<void> => {
    await close(signal)
    process.exit(0)
  }
  // A second signal ends at once.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(signal))
}

/** Recovery and start are one path: what nobody expected ends the process, and the next life begins from the API. */
function endOnSurprise(log: Logger): void {
  process.on('uncaughtException', error => endWith(log, error))
  process.on('unhandledRejection', error => endWith(log, error))
}

function endWith(log: Logger, error: unknown): never {
  const invariant = error instanceof InvariantViolation ? { invariant: error.invariant } : {}
  log.fatal({ err: error, ...invariant }, `ending: ${reasonOf(error)}`)
  process.exit(1)
}
