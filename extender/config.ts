import { parseDuration, parseInteger } from '../policies/parse.ts'
import { UsageError } from './errors.ts'
import { logLevels, logModes, type OptionName, row } from './options.ts'
import { fromEnvironment, fromFile, fromFlags, type Source } from './sources.ts'

export { optionHelp } from './options.ts'

/** Everything that can be configured, read once and passed down. Durations are milliseconds. */
export type Config = {
  /** Path; undefined means KUBECONFIG, ~/.kube/config or the pod's service account. */
  readonly kubeconfig: string | undefined
  readonly listen: Address
  readonly apiListen: Address
  /** Absent: the verbs are plain HTTP. */
  readonly tls: TlsFiles | undefined
  /** Scheduler name → profile. */
  readonly schedulerNames: ReadonlyMap<string, ProfileName>
  /** Whether a node takes at most one pod of the profile `custom-scheduler`. */
  readonly onePodPerNode: boolean
  /** Namespace → how far the annotation `priority` lifts its pods over those of other namespaces; 0 where absent. */
  readonly priorityCaps: ReadonlyMap<string, number>
  readonly bindTimeoutMs: number
  readonly gangSettleMs: number
  readonly holdTtlMs: number
  readonly repairTimeoutMs: number
  readonly resyncMs: number
  /** What is under way after SIGTERM may take so long. */
  readonly drainTimeoutMs: number
  readonly logMode: LogMode
  readonly logLevel: LogLevel
  /** Absent: nothing is traced. */
  readonly traces: { readonly url: string; readonly ratio: number } | undefined
  /** Only for `scheduler-config`: where kube-scheduler reaches muster. */
  readonly extender: string | undefined
  /** Only for `scheduler-config`: by what kube-scheduler knows muster over TLS, and what it shows. */
  readonly extenderTls: ClientTls
}

/** PEM files. */
export type TlsFiles = {
  readonly cert: string
  readonly key: string
  /** Absent: everybody who reaches the address may call. */
  readonly clientCa: string | undefined
  /** Empty: every client that the CA has signed for. */
  readonly clientNames: readonly string[]
}

export type ClientTls = {
  readonly ca: string | undefined
  readonly identity: { readonly cert: string; readonly key: string } | undefined
}

export type Address = { readonly host: string; readonly port: number }
export const profileNames = ['muster', 'custom-scheduler'] as const
export type ProfileName = (typeof profileNames)[number]
export type LogLevel = (typeof logLevels)[number]
export type LogMode = (typeof logModes)[number]

type Env = Readonly<Record<string, string | undefined>>

/** Timers count no further than 24.8 days, and nobody means so much. */
const longestMs = 24 * 3_600_000

/** Flags over environment over file over defaults. Throws UsageError that names the key, the source and the rule. */
export function loadConfig(args: readonly string[], env: Env): Config {
  const flags = fromFlags(args)
  const variables = fromEnvironment(env)
  const file = flags.values.get('config')?.[0] ?? variables.values.get('config')?.[0]
  return read([flags, variables, ...(file === undefined ? [] : [fromFile(file)])], env)
}

function read(sources: readonly Source[], env: Env): Config {
  const get = (name: OptionName): Value => {
    const source = sources.find(each => each.values.has(name))
    const { fallback } = row(name)
    const all = source?.values.get(name) ?? (fallback === undefined ? [] : [fallback])
    return { name, text: all.at(-1), all, key: source?.key(name) ?? `default of ${name}` }
  }
  const duration = (name: OptionName, least: number): number => {
    const { text, key } = get(name)
    const value = parseDuration(text ?? '')
    if (value === undefined || value < least || value > longestMs) {
      throw new UsageError(
        `${key}: ${shown(text)} must be a duration from ${least / 1000}s to 24h, such as 30s or 1m30s`
      )
    }
    return value
  }
  return Object.freeze({
    kubeconfig: get('kubeconfig').text,
    listen: address(get('listen')),
    apiListen: address(get('api-listen')),
    tls: tlsFiles(get),
    schedulerNames: schedulerNames(get('scheduler-name')),
    onePodPerNode: oneOf(get('one-pod-per-node'), ['true', 'false']) === 'true',
    priorityCaps: priorityCaps(get('priority-cap')),
    bindTimeoutMs: duration('bind-timeout', 10_000),
    gangSettleMs: duration('gang-settle', 0),
    holdTtlMs: duration('hold-ttl', 1_000),
    repairTimeoutMs: duration('repair-timeout', 1_000),
    resyncMs: duration('resync', 1_000),
    drainTimeoutMs: duration('drain-timeout', 0),
    ...logging(get),
    traces: traces(get, env),
    extender: get('extender').text,
    extenderTls: { ca: get('ca').text, identity: pair(get('client-cert'), get('client-key')) }
  })
}

function logging(get: (name: OptionName) => Value): Pick<Config, 'logMode' | 'logLevel'> {
  const logMode = oneOf(get('log-mode'), logModes)
  const level = get('log-level')
  const fallback = logMode === 'development' ? 'debug' : 'info'
  return { logMode, logLevel: oneOf({ ...level, text: level.text ?? fallback }, logLevels) }
}

/** The collector's address by our own name for it, or by the names that OpenTelemetry has given it. */
function traces(get: (name: OptionName) => Value, env: Env): Config['traces'] {
  const { text, key } = get('trace-ratio')
  const ratio = Number(text)
  if (!/^[\d.]+$/.test(text ?? '') || !(ratio <= 1))
    throw new UsageError(`${key}: ${shown(text)} must be a number from 0 to 1, such as 0.01`)
  const own = get('otlp-endpoint')
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ofTraces, OTEL_EXPORTER_OTLP_ENDPOINT: ofAll } = env
  if (own.text !== undefined) return { url: httpUrl(own.key, own.text, tracesPath), ratio }
  if (ofTraces) return { url: httpUrl('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', ofTraces, ''), ratio }
  return ofAll ? { url: httpUrl('OTEL_EXPORTER_OTLP_ENDPOINT', ofAll, tracesPath), ratio } : undefined
}

const tracesPath = '/v1/traces'

function httpUrl(key: string, text: string, path: string): string {
  const url = URL.parse(text.replace(/\/+$/, '') + path)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
  throw new UsageError(`${key}: ${shown(text)} must be an HTTP address, such as http://127.0.0.1:4318`)
}

function tlsFiles(get: (name: OptionName) => Value): TlsFiles | undefined {
  const [ca, names] = [get('tls-client-ca'), get('tls-client-name')]
  const own = pair(get('tls-cert'), get('tls-key'))
  if (ca.text !== undefined && !own) throw new UsageError(`${ca.key} needs tls-cert and tls-key beside it`)
  if (names.all.length > 0 && ca.text === undefined) throw new UsageError(`${names.key} needs tls-client-ca beside it`)
  return own && { ...own, clientCa: ca.text, clientNames: names.all }
}

/** A certificate and its key: both or neither. */
function pair(cert: Value, key: Value): { readonly cert: string; readonly key: string } | undefined {
  if (cert.text !== undefined && key.text !== undefined) return { cert: cert.text, key: key.text }
  if (cert.text !== undefined) throw new UsageError(`${cert.key} needs ${key.name} beside it`)
  if (key.text !== undefined) throw new UsageError(`${key.key} needs ${cert.name} beside it`)
  return undefined
}

type Value = {
  readonly name: OptionName
  readonly text: string | undefined
  readonly all: readonly string[]
  readonly key: string
}

/** IPv6 stands in brackets, as in URLs. */
function address({ text, key }: Value): Address {
  const [, v6, name, digits] = /^(?:\[([\da-fA-F:.]+(?:%\w+)?)\]|([\w.-]+)):(\d{1,5})$/.exec(text ?? '') ?? []
  const host = v6 ?? name
  const port = Number(digits)
  if (host === undefined || port > 65_535) {
    throw new UsageError(`${key}: ${shown(text)} must be HOST:PORT, such as 127.0.0.1:8888 or [::1]:8888`)
  }
  return { host, port }
}

/** An empty text, or one with blanks at its ends, needs its quotes to be seen. */
function shown(text: string | undefined): string {
  return text === undefined || /^$|^\s|\s$/.test(text) ? JSON.stringify(text ?? '') : text
}

function schedulerNames({ all, key }: Value): ReadonlyMap<string, ProfileName> {
  const profiles = new Map<string, ProfileName>(profileNames.map(name => [name, name]))
  for (const text of all) {
    const [name = '', profile = 'muster', ...rest] = text.split('=')
    if (!/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name) || rest.length > 0) {
      throw new UsageError(
        `${key}: ${JSON.stringify(text)} must be NAME or NAME=PROFILE, NAME in lower-case letters, digits, dashes and dots`
      )
    }
    profiles.set(name, oneOf({ text: profile, key }, profileNames))
  }
  return profiles
}

function priorityCaps({ all, key }: Value): ReadonlyMap<string, number> {
  const caps = new Map<string, number>()
  for (const text of all) {
    const [, namespace, digits] = /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)=(-?\d+)$/.exec(text) ?? []
    const cap = parseInteger(digits ?? '')
    if (namespace === undefined || cap === undefined)
      throw new UsageError(`${key}: ${JSON.stringify(text)} must be NAMESPACE=INTEGER`)
    caps.set(namespace, cap)
  }
  return caps
}

function oneOf<T extends string>({ text, key }: Pick<Value, 'text' | 'key'>, allowed: readonly T[]): T {
  const found = allowed.find(each => each === text)
  if (found === undefined) throw new UsageError(`${key}: ${shown(text)} must be one of ${allowed.join(', ')}`)
  return found
}
