import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { type AppParts, buildApi, buildApp } from './app.ts'
import { systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { InvariantViolation, reasonOf } from './errors.ts'
import { keepsAnnotation } from './gangs/membership/dialects.ts'
import type { Lives } from './gangs/lives/lives.ts'
import { connect } from './kubernetes/connection.ts'
import type { Lease } from './kubernetes/lease.ts'
import { kubernetesMetrics } from './kubernetes/metrics.ts'
import { Projector } from './kubernetes/projections.ts'
import { Listener } from './listener.ts'
import { logicOf } from './logic.ts'
import { PairHealth } from './telemetry/health.ts'
import { logger } from './telemetry/logs.ts'
import { Outlet } from './telemetry/outlet.ts'
import { processMetrics } from './telemetry/metrics.ts'
import { tracing } from './telemetry/tracing.ts'
import { watchEventLoop } from './telemetry/watchdog.ts'
import { certificateExpiry, Certificates } from './tls.ts'
import type { Call } from './verbs/ports.ts'
import { Underway } from './verbs/underway.ts'
import { version } from './version.ts'

const instance = hostname().slice(0, 128)
/** After the drain, answers may take so long to be written; then connections are cut. */
const closeMs = 1_000

/** Runs the extender until SIGTERM or SIGINT. */
export async function serve(config: Config): Promise<void> {
  const registry = new Registry()
  const { spans, logLines: lines } = processMetrics(registry, version)
  // Node makes a pipe non-blocking when its stream is first asked for; the stream itself would keep lines without bound.
  const out = new Outlet({ fd: process.stdout.fd, clock: systemClock, lines })
  const log = logger(config, { out, clock: systemClock, lines })
  const end: End = error => endWith(log, out, error)
  endOnSurprise(end)
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
    instance,
    knew: (minor: number) => void (told.minor = minor)
  }
  const { lives, lease } = logicOf(surroundings, registry, end)
  const verbs = {
    gangs: lives,
    refusal: () => lives.refusal,
    hurry: () => lives.hurry(),
    project: projector.pod,
    absentIsUnresolvable: () => told.minor >= 36,
    underway: new Underway(),
    tracer: tracer && { called: (call: Call) => tracer.called(call, uid => lives.traceOf(uid)) }
  }
  const health = healthOf(lives, lease, told)
  const listeners = await open(config, { verbs, reports: lives.reports, ...health, registry, logger: log }, log)
  // Not before: loading all of this code at once is no stall.
  watchEventLoop()
  onSignal(async signal => {
    told.closing = true
    log.info({ signal }, 'closing')
    await drain(config.drainTimeoutMs, verbs.underway, listeners)
    await Promise.race([tracer?.close(), sleep(closeMs, undefined, { ref: false })])
    out.end()
  })
  lease?.start()
  lives.start()
}

/** What `/readyz` tells, and what costs the kube-scheduler beside this muster the lead. */
function healthOf(lives: Lives, lease: Lease | undefined, told: { readonly closing: boolean }): Health {
  const listed = [...lives.checks(), ...(lease ? [{ name: 'lease', problem: () => lease.problem() }] : [])]
  const closing = { name: 'not closing', problem: () => (told.closing ? 'closing' : undefined) }
  const decides = { name: 'gangs', problem: () => lives.problem }
  return { checks: [...listed, closing, decides], pair: new PairHealth(systemClock, [...listed, decides]) }
}

type Health = Pick<AppParts, 'checks' | 'pair'>
type Listeners = { readonly verbs: Listener; readonly api: Listener }

/** Answers from now on, if only that it is not ready. */
async function open(config: Config, parts: AppParts, log: Logger): Promise<Listeners> {
  const { tls, listen, apiListen } = config
  const certificates = tls && new Certificates({ files: tls, registry: parts.registry, log })
  // Every metric is there; this one has no value where there is no certificate.
  if (!tls) certificateExpiry(parts.registry).remove()
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

function onSignal(close: (signal: string) => Promise<void>): void {
  const end = async (signal: string): Promise<void> => {
    await close(signal)
    process.exit(0)
  }
  // A second signal ends at once.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(signal))
}

/** Recovery and start are one path: what nobody expected ends the process, and the next life begins from the API. */
function endOnSurprise(end: End): void {
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

type End = (error: unknown) => never

function endWith(log: Logger, out: Outlet, error: unknown): never {
  const invariant = error instanceof InvariantViolation ? { invariant: error.invariant } : {}
  log.fatal({ err: error, ...invariant }, `ending: ${reasonOf(error)}`)
  out.end()
  process.exit(1)
}
