export const logModes = ['production', 'development'] as const
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** What users may say, one row each: the flag, `MUSTER_` + the flag in capitals, and the same key in the file. */
const options = {
  kubeconfig: {
    hint: 'FILE',
    help: 'kubeconfig of the cluster (default: KUBECONFIG, ~/.kube/config, or the service account)'
  },
  listen: { hint: 'HOST:PORT', fallback: '127.0.0.1:8888', help: 'where kube-scheduler reaches the verbs' },
  'api-listen': { hint: 'HOST:PORT', fallback: '127.0.0.1:8889', help: 'where people reach the API; port 0 is any' },
  'scheduler-name': {
    hint: 'NAME[=PROFILE]',
    list: true,
    help: 'one more scheduler name whose pods muster plans; may be repeated'
  },
  'one-pod-per-node': {
    hint: 'true|false',
    fallback: 'true',
    help: 'whether a node takes at most one pod of the profile custom-scheduler'
  },
  'priority-cap': {
    hint: 'NAMESPACE=INTEGER',
    list: true,
    help: "how far the annotation priority lifts that namespace's pods over those of others (default 0); may be repeated"
  },
  'tls-cert': { hint: 'FILE', help: 'PEM certificate of the verbs: HTTPS, with HTTP/2; read again when it changes' },
  'tls-key': { hint: 'FILE', help: 'its PEM key' },
  'tls-client-ca': { hint: 'FILE', help: 'PEM certificates of those who sign for clients; only such clients may call' },
  'tls-client-name': {
    hint: 'NAME',
    list: true,
    help: "a client's common name or alternative name; only such clients may call; may be repeated"
  },
  'bind-timeout': {
    hint: 'DURATION',
    fallback: '30s',
    help: "kube-scheduler's patience at bind; the barrier ends 5s earlier"
  },
  'gang-settle': {
    hint: 'DURATION',
    fallback: '1s',
    help: 'a gang of undeclared size is complete after so long without a new member'
  },
  'hold-ttl': { hint: 'DURATION', fallback: '60s', help: 'room is held no longer for a gang that does not start' },
  'repair-timeout': {
    hint: 'DURATION',
    fallback: '60s',
    help: 'a gang partly running for so long is evicted where its on-partial says so'
  },
  'drain-timeout': {
    hint: 'DURATION',
    fallback: '10s',
    help: 'after SIGTERM, gangs at the barrier may finish for so long'
  },
  resync: { hint: 'DURATION', fallback: '30s', help: 'everything is looked at again so often' },
  'log-mode': {
    hint: 'MODE',
    fallback: 'production',
    help: 'production: one JSON object a line; development: text for people, from level debug on'
  },
  'log-level': { hint: 'LEVEL', help: `${logLevels.join(', ')} (default info; in development debug)` },
  'otlp-endpoint': {
    hint: 'URL',
    help: 'where traces go, as OTLP over HTTP to URL/v1/traces (default: OTEL_EXPORTER_OTLP_ENDPOINT; without it nowhere)'
  },
  'trace-ratio': {
    hint: 'SHARE',
    fallback: '0.01',
    help: 'of calls that nothing follows from, so many are traced; bindings of gangs, evictions and errors always'
  },
  extender: { hint: 'URL', help: "muster's address as kube-scheduler sees it (scheduler-config)" },
  ca: { hint: 'FILE', help: "PEM certificates of muster's signers, on kube-scheduler's host (scheduler-config)" },
  'client-cert': { hint: 'FILE', help: 'PEM certificate that kube-scheduler shows muster (scheduler-config)' },
  'client-key': { hint: 'FILE', help: 'its PEM key (scheduler-config)' },
  config: { hint: 'FILE', help: 'YAML file of these keys' }
} as const satisfies Record<string, Row>

type Row = { readonly hint: string; readonly help: string; readonly fallback?: string; readonly list?: true }
export type OptionName = keyof typeof options
export const row = (name: OptionName): Row => options[name]
/** All of them. */
export const names = Object.keys(options) as OptionName[]

export function isOption(name: string): name is OptionName {
  return Object.hasOwn(options, name)
}

/** The rows of `--help`. */
export function optionHelp(): string {
  const rows = names.map(name => ({ left: `--${name} ${row(name).hint}`, name }))
  const width = Math.max(...rows.map(row => row.left.length))
  return rows.map(({ left, name }) => `  ${left.padEnd(width)}  ${row(name).help}${defaultOf(name)}`).join('\n')
}

function defaultOf(name: OptionName): string {
  const { fallback } = row(name)
  return fallback === undefined ? '' : ` (default ${fallback})`
}
