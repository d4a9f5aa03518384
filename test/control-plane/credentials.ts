import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Who talks to the API server; the two last ones are Kubernetes' own users, with their own rights. */
export type User =
  | 'admin'
  | 'muster'
  | 'restricted'
  | 'kwok'
  | 'system:kube-scheduler'
  | 'system:kube-controller-manager'

/** Files of one cluster's secrets, none of which outlives it. */
export interface Credentials {
  readonly tokenFile: string
  readonly serviceAccountKey: string
  /** Folder where the API server makes its certificate at its first start. */
  readonly certificates: string
  token(user: User): string
}

const groups: Readonly<Record<User, string>> = {
  admin: 'system:masters',
  muster: 'system:masters',
  // Has no rights but those that a test binds to its group.
  restricted: 'restricted',
  kwok: 'system:masters',
  // An API server that has just come back forbids for a moment what RBAC allows, and kube-scheduler's reflectors then
  // wait for up to a minute: a fault of theirs that no scenario is about.
  'system:kube-scheduler': 'system:masters',
  // Its controllers would else need a service account each.
  'system:kube-controller-manager': 'system:masters'
}

/** Draws tokens and a signing key and writes what kube-apiserver reads. */
export async function createCredentials(dir: string): Promise<Credentials> {
  const tokens = new Map<string, string>()
  for (const user of Object.keys(groups)) tokens.set(user, randomBytes(16).toString('hex'))
  const lines = Object.entries(groups).map(([user, group]) => `${tokens.get(user)},${user},${user},"${group}"\n`)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const credentials: Credentials = {
    tokenFile: join(dir, 'tokens.csv'),
    serviceAccountKey: join(dir, 'service-account.key'),
    certificates: join(dir, 'certificates'),
    token: user => tokens.get(user) ?? ''
  }
  await writeFile(credentials.tokenFile, lines.join(''), { mode: 0o600 })
  await writeFile(credentials.serviceAccountKey, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 })
  return credentials
}

/** How to reach the API server as one user. */
export interface Access {
  readonly url: string
  readonly ca: string
  readonly token: string
}

/** The API server's own certificate; also what the proxy in front of it shows. */
export async function servingCertificate(credentials: Credentials): Promise<{ cert: string; key: string }> {
  const [cert, key] = await Promise.all([
    readFile(join(credentials.certificates, 'apiserver.crt'), 'utf8'),
    readFile(join(credentials.certificates, 'apiserver.key'), 'utf8')
  ])
  return { cert, key }
}

/** Writes a kubeconfig with everything in it. */
export async function writeKubeconfig(file: string, access: Access): Promise<string> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'control-plane',
    clusters: [
      {
        name: 'control-plane',
        cluster: { server: access.url, 'certificate-authority-data': Buffer.from(access.ca).toString('base64') }
      }
    ],
    users: [{ name: 'user', user: { token: access.token } }],
    contexts: [{ name: 'control-plane', context: { cluster: 'control-plane', user: 'user' } }]
  }
  // JSON is YAML, and every reader of kubeconfigs takes it.
  await writeFile(file, JSON.stringify(config, undefined, 2), { mode: 0o600 })
  return file
}
