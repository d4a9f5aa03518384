import { writeFileSync } from 'node:fs'
import { type Clock, type Random, systemClock } from '../clock.ts'
import { reasonOf, UsageError } from '../errors.ts'
import { openApi } from './api/api.ts'
import type { EmbeddedApi } from './api/types.ts'
import { selfMadeCertificate, type ServingCertificate } from './api-server/certificates.ts'
import { Audit, type AuditEntry, Users } from './api-server/identity.ts'
import { kubeconfigOf } from './api-server/kubeconfig.ts'
import type { LogSource } from './api-server/logs.ts'
import { buildApiServer } from './api-server/server.ts'
import { Lines } from './api-server/watch-lines.ts'
import { addNodes, type NodesWish } from './nodes.ts'

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
  /** What containers say, of the kubelet. */
  readonly logs?: LogSource
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
  readonly nodes?: NodesWish
  readonly parts?: readonly Part[]
  readonly clock?: Clock
  readonly random?: Random
  readonly log?: Log
  /** Changes of each resource that watches can replay. */
  readonly history?: number
  /** Events that may wait for a slow watcher before it is cut. */
  readonly watchBacklog?: number
  readonly bookmarkMs?: number
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

const silence: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** A cluster in this process: an API server that kubectl and other clients reach, and whatever parts are given. */
export async function startEmbeddedCluster(options: ClusterOptions = {}): Promise<EmbeddedCluster> {
  const { host = '127.0.0.1', port = 0, clock = systemClock, random = Math.random, log = silence } = options
  const client = openApi({ clock, random, ...(options.history !== undefined && { history: options.history }) })
  const running: Running[] = []
  const stop = async (): Promise<void> => {
    for (const part of running.splice(0).toReversed()) await part.stop()
  }
  const certificate = options.tls === false ? undefined : certificateFor(host, clock)
  const users = new Users()
  const audit = new Audit()
  try {
    for (const part of options.parts ?? []) running.push(part({ client, clock, random, log }))
    const logs = running.find(part => part.logs)?.logs
    const watches = {
      lines: new Lines(),
      backlog: options.watchBacklog ?? 16_384,
      bookmarkMs: options.bookmarkMs ?? 60_000
    }
    const app = buildApiServer({ api: client, clock, random, users, audit, logs, watches }, certificate)
    running.push({ stop: () => app.close() })
    const server = await app.listen({ host, port }).catch((error: unknown) => {
      throw new UsageError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`)
    })
    addNodes(client, clock, options.nodes)
    const kubeconfigFor = (user: string, groups?: readonly string[]): string =>
      kubeconfigOf({ server, ca: certificate?.ca, token: users.add(user, groups) })
    const kubeconfig = kubeconfigFor('admin')
    if (options.kubeconfigFile !== undefined) writeFileSync(options.kubeconfigFile, kubeconfig, { mode: 0o600 })
    return {
      ...{ url: server, kubeconfig, client, kubeconfigFor, stop },
      get audit() {
        return audit.entries
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function certificateFor(host: string, clock: Clock): ServingCertificate {
  const hosts = new Set(['localhost', '127.0.0.1', '::1', 'kubernetes.default.svc', host])
  return selfMadeCertificate([...hosts], clock.wall())
}
