import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { parseDuration } from '../policies/parse.ts'
import { reasonOf, UsageError } from './errors.ts'
import { isOption, logLevels, names, type OptionName, row } from './options.ts'

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
  readonly bindTimeoutMs: number
  readonly gangSettleMs: number
  readonly holdTtlMs: number
  readonly repairTimeoutMs: number
  readonly resyncMs: number
  /** What is under way after SIGTERM may take so long. */
  readonly drainTimeoutMs: number
  readonly logLevel: LogLevel
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

/** `key` is what users call that option there. */
type Source = { readonly key: (name: OptionName) => string; readonly values: ReadonlyMap<string, readonly string[]> }

/** Timers count no further than 24.8 days, and nobody means so much. */
const longestMs = 24 * 3_600_000

/** Flags over environment over file over defaults. Throws UsageError that names the key, the source and the rule. */
export function loadConfig(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const flags = fromFlags(args)
  const variables = fromEnvironment(env)
  const file = flags.values.get('config')?.[0] ?? variables.values.get('config')?.[0]
  return read([flags, variables, ...(file === undefined ? [] : [fromFile(file)])])
}

function fromFlags(args: readonly string[]): Source {
  const spec = Object.fromEntries(names.map(name => [name, { type: 'string' as const, multiple: true as const }]))
  try {
    const { values } = parseArgs({ args: [...args], options: spec, allowPositionals: false })
    return {
      key: name => `flag --${name}`,
      values: new Map(Object.entries(values).map(([key, value]) => [key, value ?? []]))
    }
  } catch (error) {
    throw new UsageError(`${reasonOf(error).split('. ')[0]}; see --help`)
  }
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Source {
  const values = new Map<string, string[]>()
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith('MUSTER_') || value === undefined || isForeign(key, value)) continue
    const name = names.find(each => variableOf(each) === key)
    if (!name) throw new UsageError(`environment variable ${key} is none of muster's; known are ${known(variableOf)}`)
    values.set(name, row(name).list ? value.split(',') : [value])
  }
  return { key: name => `environment variable ${variableOf(name)}`, values }
}

/**
 * MUSTER_SERVER is read by the commands that ask a running muster. The others are what the kubelet sets in every pod of
 * a namespace that has a Service named `muster` or `muster-…`.
 */
function isForeign(key: string, value: string): boolean {
  if (key === 'MUSTER_SERVER' || /_SERVICE_(HOST|PORT(_\w+)?)$/.test(key)) return true
  return (
    /_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?$/.test(key) || (key.endsWith('_PORT') && /^\w+:\/\//.test(value))
  )
}

function fromFile(path: string): Source {
  const values = new Map<string, string[]>()
  for (const [name, value] of Object.entries(contentOf(path))) {
    const key = `${path}: key ${name}`
    if (!isOption(name) || name === 'config')
      throw new UsageError(`${key} is none of muster's; known are ${known(each => each)}`)
    const all: readonly unknown[] = row(name).list && Array.isArray(value) ? value : [value]
    values.set(
      name,
      all.map(each => scalar(each, key))
    )
  }
  return { key: name => `${path}: key ${name}`, values }
}

function contentOf(path: string): Record<string, unknown> {
  let content: unknown
  try {
    // A file of nothing but comments holds null.
    content = parse(readFileSync(path, 'utf8')) ?? {}
  } catch (error) {
    throw new UsageError(`cannot read the configuration file ${path}: ${reasonOf(error)}`)
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content }
  throw new UsageError(`the configuration file ${path} must hold keys and values`)
}

function scalar(value: unknown, key: string): string {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new UsageError(`${key}: ${JSON.stringify(value)} must be a text`)
  return String(value)
}

function known(format: (name: OptionName) => string): string {
  return names.map(format).join(', ')
}

function variableOf(name: OptionName): string {
  return `MUSTER_${name.toUpperCase().replaceAll('-', '_')}`
}

function read(sources: readonly Source[]): Config {
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
    bindTimeoutMs: duration('bind-timeout', 10_000),
    gangSettleMs: duration('gang-settle', 0),
    holdTtlMs: duration('hold-ttl', 1_000),
    repairTimeoutMs: duration('repair-timeout', 1_000),
    resyncMs: duration('resync', 1_000),
    drainTimeoutMs: duration('drain-timeout', 0),
    logLevel: oneOf(get('log-level'), logLevels),
    extender: get('extender').text,
    extenderTls: { ca: get('ca').text, identity: pair(get('client-cert'), get('client-key')) }
  })
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

function oneOf<T extends string>({ text, key }: Pick<Value, 'text' | 'key'>, allowed: readonly T[]): T {
  const found = allowed.find(each => each === text)
  if (found === undefined) throw new UsageError(`${key}: ${shown(text)} must be one of ${allowed.join(', ')}`)
  return found
}
