import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import type { KubeConfig, User } from '@kubernetes/client-node'
import { parse } from 'yaml'
import type { Clock } from '../clock.ts'
import { reasonOf, UsageError } from '../errors.ts'
import { object, objects, text } from '../json.ts'
import type { TlsOptions } from './transport.ts'

export type Credentials = { readonly headers: Readonly<Record<string, string>>; readonly tls: TlsOptions }

/** Who we are and whom we trust, for one server. */
export interface CredentialSource {
  /** The server's URL, without a trailing slash. */
  readonly server: string
  /** What to send now. Reads files or runs the exec plugin when the last answer is some seconds old; throws when that fails. */
  current(): Promise<Credentials>
  /** Forgets the last answer, after the server refused it. */
  forget(): void
}

/** So long is an answer reused: tokens rotate long before they expire. */
const freshMs = 5_000

/**
 * Reads a kubeconfig (a path; without one KUBECONFIG, ~/.kube/config or the service account of the pod).
 * Throws a UsageError when it is unusable.
 */
export async function loadCredentials(clock: Clock, kubeconfig?: string): Promise<CredentialSource> {
  // Here and not above: the import costs half a second and 55 MB, which tests and the simulator need not pay.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if (kubeconfig === undefined) config.loadFromDefault()
    else config.loadFromFile(kubeconfig)
  } catch (error) {
    // Below its first line, an error of YAML shows the lines around the place, tokens and all.
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    throw new UsageError(`cannot read the kubeconfig ${kubeconfig ?? ''}: ${reasonOf(reason)}`)
  }
  await restoreTokenFiles(config, kubeconfig ?? process.env.KUBECONFIG)
  return cached(clock, serverOf(config), () => credentialsOf(config))
}

function serverOf(config: KubeConfig): string {
  const cluster = config.getCurrentCluster()
  if (!cluster)
    throw new UsageError(`the kubeconfig has no cluster for its context "${config.getCurrentContext() ?? ''}"`)
  if (cluster.proxyUrl) throw new UsageError(`proxy-url of cluster "${cluster.name}" is not supported`)
  if (!/^https?:\/\//.test(cluster.server)) throw new UsageError(`server "${cluster.server}" is not an http(s) URL`)
  announceCluster(config.getCurrentUser())
  return cluster.server.replace(/\/+$/, '')
}

/** client-node drops `tokenFile`, which rotates: hand it to the reader of service account tokens. */
async function restoreTokenFiles(config: KubeConfig, path: string | undefined): Promise<void> {
  const user = config.getCurrentUser()
  const file = path?.split(':').find(part => part !== '')
  if (!user || user.token || file === undefined) return
  const users = objects(object(parse(await readFile(file, 'utf8'))).users)
  const tokenFile = text(object(users.find(entry => entry.name === user.name)?.user).tokenFile)
  if (tokenFile !== undefined) Object.assign(user, { authProvider: { name: 'tokenFile', config: { tokenFile } } })
}

/** Exec plugins may insist on KUBERNETES_EXEC_INFO, which client-node does not set. */
function announceCluster(user: User | null): void {
  if (!user?.exec) return
  const exec = object(user.exec)
  const info = { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  const env = [...objects(exec.env), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }]
  Object.assign(user, { exec: { ...exec, env } })
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {}
  const cluster = config.getCurrentCluster()
  // client-node refuses plain http unless verification is off; over http there is nothing to verify.
  if (cluster?.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true })
  try {
    await config.applyToHTTPSOptions(options)
  } catch (error) {
    // Its message repeats what it could not read, which may be a token.
    throw error instanceof SyntaxError ? new Error('what the credential plugin prints is not JSON') : error
  }
  return { headers: await headersOf(config, options), tls: tlsOf(options) }
}

async function headersOf(config: KubeConfig, options: RequestOptions): Promise<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value)
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
  const provider = object(config.getCurrentUser()?.authProvider)
  const tokenFile = text(object(provider.config).tokenFile)
  // client-node keeps a token for a minute and does not trim it.
  if (tokenFile !== undefined) headers.authorization = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`
  return headers
}

function tlsOf(options: RequestOptions): TlsOptions {
  const { ca, cert, key, rejectUnauthorized } = options
  const servername: unknown = 'servername' in options ? options.servername : undefined
  return {
    ...(ca ? { ca: ca as Buffer } : {}),
    ...(cert ? { cert: cert as Buffer } : {}),
    ...(key ? { key: key as Buffer } : {}),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    ...(typeof servername === 'string' ? { servername } : {})
  }
}

/** Keeps an answer for some seconds; callers that come together share one reading. */
export function cached(clock: Clock, server: string, read: () => Promise<Credentials>): CredentialSource {
  let reading: Promise<Credentials> | undefined
  let expires = 0
  return {
    server,
    current() {
      if (reading && clock.now() < expires) return reading
      const mine = read()
      reading = mine
      expires = clock.now() + freshMs
      mine.catch(() => {
        if (reading === mine) reading = undefined
      })
      return mine
    },
    forget() {
      expires = 0
    }
  }
}
