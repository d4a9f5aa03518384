import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import type { Clock } from '../clock.ts'
import { type Json, object, objects, text } from '../json.ts'
import { type Access, readAccess } from './kubeconfig.ts'
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

/** For the cluster of a kubeconfig; see `readAccess`. */
export async function loadCredentials(clock: Clock, kubeconfig?: string): Promise<CredentialSource> {
  const access = readAccess(kubeconfig)
  const { exec, 'auth-provider': provider } = access.user
  const read = exec || provider ? await pluginOf(access) : () => credentialsOf(access)
  return cached(clock, access.server, read)
}

/** Of files and texts. */
async function credentialsOf({ cluster, user }: Access): Promise<Credentials> {
  const [ca, cert, key] = await Promise.all([
    material(cluster, 'certificate-authority'),
    material(user, 'client-certificate'),
    material(user, 'client-key')
  ])
  const servername = text(cluster['tls-server-name'])
  const tls = {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(servername !== undefined && { servername }),
    ...(cluster['insecure-skip-tls-verify'] === true && { rejectUnauthorized: false })
  }
  return { headers: await headersOf(user), tls }
}

async function headersOf(user: Json): Promise<Record<string, string>> {
  const [token, file, name, other] = [user.token, user.tokenFile, user.username, user.as].map(text)
  const headers: Record<string, string> = other === undefined ? {} : { 'impersonate-user': other }
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  else if (file !== undefined) headers.authorization = `Bearer ${(await readFile(file, 'utf8')).trim()}`
  if (name !== undefined) headers.authorization = basic(`${name}:${text(user.password) ?? ''}`)
  return headers
}

const basic = (auth: string): string => `Basic ${Buffer.from(auth).toString('base64')}`

/** What stands there as `NAME-data`, or in the file NAME. */
async function material(json: Json, name: string): Promise<Buffer | undefined> {
  const data = text(json[`${name}-data`])
  if (data !== undefined) return Buffer.from(data, 'base64')
  const file = text(json[name])
  return file === undefined ? undefined : await readFile(file)
}

/** What a program or an identity provider has to be asked for, the official client library asks for. */
async function pluginOf({ server, cluster, user }: Access): Promise<() => Promise<Credentials>> {
  // Here and not above: the import costs half a second and 55 MB, which nobody else need pay.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  // It refuses plain http unless verification is off; over http there is nothing to verify.
  const target = server.startsWith('http:') ? { ...cluster, 'insecure-skip-tls-verify': true } : cluster
  const whole = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: target }],
    users: [{ name: 'u', user: announced(user) }]
  }
  config.loadFromString(JSON.stringify(whole))
  return () => askedOf(config)
}

/** Exec plugins may insist on KUBERNETES_EXEC_INFO, which client-node does not set. */
function announced(user: Json): Json {
  if (!user.exec) return user
  const exec = object(user.exec)
  const info = { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  const env = [...objects(exec.env), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }]
  return { ...user, exec: { ...exec, env } }
}

async function askedOf(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
  } catch (error) {
    // Its message repeats what it could not read, which may be a token.
    throw error instanceof SyntaxError ? new Error('what the credential plugin prints is not JSON') : error
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value)
  if (options.auth) headers.authorization = basic(options.auth)
  return { headers, tls: tlsOf(options) }
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
