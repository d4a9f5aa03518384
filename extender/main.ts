import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { pino, type Logger } from 'pino'
import { Gauge, Registry } from 'prom-client'
import { muster } from '../policies/index.ts'
import { type AppParts, buildApi, buildApp } from './app.ts'
import { systemClock } from './clock.ts'
import type { Address, Config } from './config.ts'
import { InvariantViolation, reasonOf } from './errors.ts'
import { keepsAnnotation, keepsLabel } from './gangs/dialects.ts'
import { Gangs } from './gangs/gangs.ts'
import type { ApiServer } from './kubernetes/api-server.ts'
import { Binder } from './kubernetes/binder.ts'
import { Cache } from './kubernetes/cache.ts'
import { connect } from './kubernetes/connection.ts'
import { EventRecorder } from './kubernetes/event-recorder.ts'
import { Evictor } from './kubernetes/evictor.ts'
import { type KubernetesMetrics, kubernetesMetrics } from './kubernetes/metrics.ts'
import { Nominator } from './kubernetes/nominator.ts'
import { Projector } from './kubernetes/projections.ts'
import { State } from './state.ts'
import { processMetrics } from './telemetry/metrics.ts'

const version = '0.1.0'
/** Writes that may be under way at once, bindings and nominations each. */
const concurrency = 32
/** What is still under way after so long is cut off. */
const closeMs = 5_000

/** Runs the extender until SIGTERM or SIGINT. */
export async function serve(config: Config): Promise<void> {
  const log = pino({ level: config.logLevel, base: null })
  endOnSurprise(log)
  const registry = new Registry()
  processMetrics(registry, version)
  const metrics = kubernetesMetrics(registry)
  const api = await connect({
    clock: systemClock,
    metrics,
    ...(config.kubeconfig === undefined ? {} : { kubeconfig: config.kubeconfig })
  })
  const state = new State()
  const projector = new Projector({ keepLabel: keepsLabel, keepAnnotation: keepsAnnotation })
  const cache = new Cache({ api, clock: systemClock, random: Math.random, log, metrics, projector, state })
  const gangs = buildGangs({ config, log, registry, metrics, api, state })

  const life = { ready: false, minor: 0 }
  const checks = [
    ...cache.checks(),
    { name: 'gangs', problem: (): string | undefined => (life.ready ? undefined : 'not taken over yet') }
  ]
  const verbs = {
    gangs,
    ready: () => life.ready,
    project: projector.pod,
    absentIsUnresolvable: () => life.minor >= 36
  }
  await open(config, { verbs, reports: gangs.reports, checks, registry, logger: log }, log)

  const from = systemClock.now()
  await cache.start()
  life.minor = await minorVersion(api)
  gangs.start()
  life.ready = true
  report((systemClock.now() - from) / 1000, registry, log)
}

/** Answers from now on, if only that it is not ready, until a signal ends it. */
async function open(config: Config, parts: AppParts, log: Logger): Promise<void> {
  const [app, api] = [buildApp(parts), buildApi(parts)]
  await listen(app, config.listen, { what: 'extender', log })
  await listen(api, config.apiListen, { what: 'API', log })
  closeOnSignal([app, api], log)
}

function report(seconds: number, registry: Registry, log: Logger): void {
  const rebuild = new Gauge({
    name: 'muster_rebuild_duration_seconds',
    help: 'Time from the start to the moment when everything was listed and taken over.',
    registers: [registry]
  })
  rebuild.set(seconds)
  log.info({ seconds }, 'ready')
}

type Wiring = {
  readonly config: Config
  readonly log: Logger
  readonly registry: Registry
  readonly metrics: KubernetesMetrics
  readonly api: ApiServer
  readonly state: State
}

function buildGangs({ config, log, registry, metrics, api, state }: Wiring): Gangs {
  // Without a lease there is one life at a time, and a later one starts later.
  const epoch = systemClock.wall()
  const clock = systemClock
  return new Gangs({
    ...{ state, clock, log, registry, concurrency, profile: muster, epoch: () => epoch },
    binder: new Binder({ api, clock, random: Math.random, metrics }),
    nominator: new Nominator(api, metrics),
    terminator: new Evictor(api, metrics),
    recorder: new EventRecorder({ api, clock, log, metrics, instance: hostname().slice(0, 128) }),
    schedulerNames: new Set(config.schedulerNames.keys()),
    settleMs: config.gangSettleMs,
    holdTtlMs: config.holdTtlMs,
    repairMs: config.repairTimeoutMs,
    resyncMs: config.resyncMs,
    bindTimeoutMs: config.bindTimeoutMs,
    onViolation: error => endWith(log, error)
  })
}

/** The API server's minor version: newer kube-schedulers read a short filter answer as a long one. */
async function minorVersion(api: ApiServer): Promise<number> {
  const answer = await api.request({ method: 'GET', path: '/version' }).catch(() => undefined)
  const body = answer?.body
  const minor = typeof body === 'object' && body !== null && 'minor' in body ? body.minor : undefined
  return Number.parseInt(typeof minor === 'string' ? minor : '0', 10) || 0
}

async function listen(
  app: FastifyInstance,
  { host, port }: Address,
  { what, log }: { what: string; log: Logger }
): Promise<void> {
  closeQuickly(app)
  const url = await app.listen({ host, port })
  log.info({ url }, `the ${what} listens`)
}

/** Lets what is under way finish, but waits for no idle connection. */
function closeQuickly(app: FastifyInstance): void {
  app.addHook('preClose', async () => {
    const idle = setInterval(() => app.server.closeIdleConnections(), 25)
    const rest = setTimeout(() => app.server.closeAllConnections(), closeMs)
    app.server.once('close', () => {
      clearInterval(idle)
      clearTimeout(rest)
    })
  })
}

function closeOnSignal(apps: readonly FastifyInstance[], log: Logger): void {
  const close = async (signal: string): Promise<void> => {
    log.info({ signal }, 'closing')
    await Promise.all(apps.map(app => app.close()))
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void close(signal))
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
