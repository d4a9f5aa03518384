/** What a client needs to know to reach a server as one user. */
export type Access = {
  readonly server: string
  /** PEM; absent over plain http. */
  readonly ca?: string | undefined
  readonly token: string
}

const name = 'muster-embedded'

/** A kubeconfig with everything in it. JSON is YAML, and every reader of kubeconfigs takes it. */
export function kubeconfigOf({ server, ca, token }: Access): string {
  const trust =
    // client-node refuses plain http unless nothing is to be verified.
    ca === undefined
      ? { 'insecure-skip-tls-verify': true }
      : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, ...trust } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }]
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}
