import { writeFileSync } from 'node:fs'
import { type Clock, type Random, systemClock } from '../clock.ts'
import { reasonOf, UsageError } from '../errors.ts'
import { openApi } from './api/api.ts'
import type { EmbeddedApi } from './api/types.ts'
import type { WatchLimits } from './api-server/call.ts'
import { selfMadeCertificate, type ServingCertificate } from './api-server/certificates.ts'
import { Audit, type AuditEntry, Users } from './api-server/identity.ts'
import { kubeconfigOf } from './api-server/kubeconfig.ts'
import type { LogSource } from './api-server/log-source.ts'
import { buildApiServer } from './api-server/server.ts'
import { Lines } from './api-server/watch-lines.ts'

/** The part of a pino logger that parts of the cluster use. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What every part works with. */
export type Ground = {
  readonly client: EmbeddedApi
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Starts a part of the cluster: its controllers, its kubelet, its scheduler. */
export type Part = (ground: Ground) => Running

export type Running = {
  stop(): void | Promise<void>
  /** What containers wrote, of the kubelet. */
  logs?(...asked: Parameters<LogSource['logs']>): ReturnType<LogSource['logs']>
}

export type ClusterOptions = {
  /** Default 0: any that is free. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** False: plain HTTP. Clients send no tokens over it, so everybody is anonymous. */
  readonly tls?: boolean
  /** Where to write the kubeconfig; the answer has its text in any case. */
  readonly kubeconfigFile?: string
  /** Default: none, and then pods stay as they are created. */
  readonly parts?: readonly Part[]
  readonly clock?: Clock
  readonly random?: Random
  readonly log?: Log
  /** Changes of each resource that watches can replay. */
  readonly history?: number
  readonly watches?: Partial<Omit<WatchLimits, 'lines'>>
}

export type EmbeddedCluster = {
  /** Of the API server. */
  readonly url: string
  /** The text of a kubeconfig for the user `admin`. */
  readonly kubeconfig: string
  /** The API, without HTTP between. */
  readonly client: EmbeddedApi
  /** The latest requests over HTTP, the oldest first. */
  readonly audit: readonly AuditEntry[]
  /** A kubeconfig for one more user. */
  kubeconfigFor(user: string, groups?: readonly string[]): string
  /** Ends everything; what the cluster held is gone. */
  stop(): Promise<void>
}

const usualLimits = { backlog: 16_384, patienceMs: 5_000, bookmarkMs: 60_000 }
const silence: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** A cluster in this process: an API server that kubectl and other clients reach, and whatever parts are given. */
export async function startEmbeddedCluster(options: ClusterOptions = {}): Promise<EmbeddedCluster> {
  const { clock = systemClock, random = Math.random, log = silence, history } = options
  const client = openApi({ clock, random, ...(history !== undefined && { history }) })
  const ground = { client, clock, random, log }
  const running: Running[] = []
  const stop = async (): Promise<void> => {
    for (const part of running.splice(0).toReversed()) await part.stop()
  }
  try {
    for (const part of options.parts ?? []) running.push(part(ground))
    const server = await serve(ground, options, running)
    const kubeconfig = server.kubeconfigFor('admin')
    if (options.kubeconfigFile !== undefined) writeFileSync(options.kubeconfigFile, kubeconfig, { mode: 0o600 })
    return new Cluster({ ...server, client, kubeconfig, stop })
  } catch (error) {
    await stop()
    throw error
  }
}

type Server = {
  readonly url: string
  readonly log: Audit
  readonly kubeconfigFor: EmbeddedCluster['kubeconfigFor']
}

class Cluster implements EmbeddedCluster {
  readonly url: string
  readonly kubeconfig: string
  readonly client: EmbeddedApi
  readonly kubeconfigFor: EmbeddedCluster['kubeconfigFor']
  readonly stop: () => Promise<void>
  readonly #log: Audit

  constructor(parts: Server & Pick<EmbeddedCluster, 'kubeconfig' | 'client' | 'stop'>) {
    this.url = parts.url
    this.kubeconfig = parts.kubeconfig
    this.client = parts.client
    this.kubeconfigFor = parts.kubeconfigFor
    this.stop = parts.stop
    this.#log = parts.log
  }

  get audit(): readonly AuditEntry[] {
    return this.#log.entries
  }
}

async function serve(ground: Ground, options: ClusterOptions, running: Running[]): Promise<Server> {
  const { host = '127.0.0.1', port = 0, tls = true } = options
  const { client, clock, random } = ground
  const [users, audit] = [new Users(), new Audit()]
  const certificate = tls ? certificateFor(host, clock) : undefined
  const logs = running.find((part): part is Running & LogSource => part.logs !== undefined)
  const watches = { ...usualLimits, ...options.watches, lines: new Lines() }
  const app = buildApiServer({ api: client, clock, random, users, audit, logs, watches }, certificate)
  running.push({ stop: () => app.close() })
  const url = await app.listen({ host, port }).catch((error: unknown) => {
    throw new UsageError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`)
  })
  const kubeconfigFor = (user: string, groups?: readonly string[]): string =>
    kubeconfigOf({ server: url, ca: certificate?.ca, token: users.add(user, groups) })
  return { url, log: audit, kubeconfigFor }
}

function certificateFor(host: string, clock: Clock): ServingCertificate {
  const hosts = new Set(['localhost', '127.0.0.1', '::1', 'kubernetes.default.svc', host])
  return selfMadeCertificate([...hosts], clock.wall())
}
