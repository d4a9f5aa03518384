import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import { parseDuration } from '../../../policies/parse.ts'
import { reasonOf, UsageError } from '../../errors.ts'
import { type Entry, type Settings, strategies } from './entry.ts'

const states = ['active', 'draining', 'disabled'] as const
const clusterKeys = ['name', 'endpoint', 'priority', 'weight', 'labels', 'state', 'capacity'] as const
const fileKeys = ['clusters', 'strategy', 'failoverAfter'] as const
const longestMs = 24 * 3_600_000
const mostClusters = 1_000

/** Settings from a YAML file. Throws UsageError that names the file, the key and the rule. */
export function settingsOfFile(path: string): Settings {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${reasonOf(error)}`)
  }
  return settingsOf(text, path)
}

/** Settings from YAML text; `where` stands for it in sentences. */
export function settingsOf(text: string, where: string): Settings {
  const document = parseDocument(text)
  const [problem] = document.errors
  if (problem) throw new UsageError(`${where}: ${reasonOf(problem.message.split('\n')[0])}`)
  const file = fields(document.toJS({ maxAliasCount: 100 }) ?? {}, where, fileKeys)
  const { clusters = [], strategy = 'rendezvous', failoverAfter = '5m' } = file
  if (!Array.isArray(clusters)) throw new UsageError(`${where}: clusters must be a list`)
  return {
    clusters: distinct(
      clusters.map((each: unknown, at) => entry(each, `${where}: clusters[${at}]`)),
      where
    ),
    strategy: oneOf(strategy, strategies, `${where}: strategy`),
    failoverAfterMs: durationOf(failoverAfter, `${where}: failoverAfter`)
  }
}

function durationOf(value: unknown, where: string): number {
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined && ms >= 0 && ms <= longestMs) return ms
  throw new UsageError(`${where} ${shown(value)} must be a duration up to 24h, such as 5m`)
}

/** A cluster of a flag: `NAME=URL[,priority=N][,weight=N]`, and the other keys alike. */
export function entriesOfFlags(flags: readonly string[]): readonly Entry[] {
  const entries = flags.map(flag => {
    const where = `--cluster ${JSON.stringify(flag)}`
    const [first = '', ...rest] = flag.split(',')
    const [, name, endpoint] = /^([^=]+)=(.+)$/.exec(first) ?? []
    if (name === undefined) throw new UsageError(`${where} must be NAME=URL[,priority=N][,weight=N]`)
    const pairs = rest.map(pair => {
      const [, key = '', value = ''] = /^([^=]*)=(.*)$/.exec(pair) ?? []
      if (!['priority', 'weight', 'state', 'capacity'].includes(key))
        throw new UsageError(`${where}: ${shown(pair)} must be priority=N, weight=N, state=STATE or capacity=N`)
      return [key, key === 'state' ? value : numberOf(value)] as const
    })
    return entry({ ...Object.fromEntries(pairs), name, endpoint }, where)
  })
  return distinct(entries, '--cluster')
}

const numberOf = (text: string): unknown => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text)

function entry(value: unknown, where: string): Entry {
  const {
    name,
    endpoint,
    priority = 0,
    weight = 1,
    labels = {},
    state = 'active',
    capacity
  } = fields(value, where, clusterKeys)
  if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new UsageError(`${where}: name ${shown(name)} must be lower-case letters, digits and dashes, at most 63`)
  const whole = (key: string, number: unknown): number => {
    if (Number.isInteger(number) && Number(number) >= 0 && Number(number) < 2 ** 31) return Number(number)
    throw new UsageError(`${where}: ${key} ${shown(number)} must be an integer from 0 on`)
  }
  return {
    endpoint: url(endpoint, where),
    cluster: {
      name,
      priority: whole('priority', priority),
      weight: weightOf(weight, where),
      labels: labelsOf(labels, where),
      state: oneOf(state, states, `${where}: state`),
      ...(capacity !== undefined && { capacity: whole('capacity', capacity) })
    }
  }
}

function fields<K extends string>(value: unknown, where: string, known: readonly K[]): Partial<Record<K, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${where} must have keys: ${known.join(', ')}`)
  const stranger = Object.keys(value).find(key => !known.includes(key as K))
  if (stranger !== undefined)
    throw new UsageError(`${where}: ${shown(stranger)} is unknown; keys are ${known.join(', ')}`)
  return value
}

function url(value: unknown, where: string): string {
  const parsed = typeof value === 'string' ? URL.parse(value) : null
  const isPlain = parsed && parsed.search === '' && parsed.hash === '' && parsed.username === ''
  if (!isPlain || !['http:', 'https:'].includes(parsed.protocol))
    throw new UsageError(`${where}: endpoint ${shown(value)} must be a URL such as http://127.0.0.1:50052`)
  return parsed.href.replace(/\/+$/, '')
}

function weightOf(value: unknown, where: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1e6) return value
  throw new UsageError(`${where}: weight ${shown(value)} must be a number from 0 to 1000000`)
}

function labelsOf(value: unknown, where: string): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${where}: labels must be keys with texts`)
  return new Map(
    Object.entries(value).map(([key, text]: [string, unknown]) => {
      if (typeof text !== 'string') throw new UsageError(`${where}: labels.${key} ${shown(text)} must be a text`)
      return [key, text]
    })
  )
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[], where: string): T {
  const found = allowed.find(each => each === value)
  if (found === undefined) throw new UsageError(`${where} ${shown(value)} must be one of ${allowed.join(', ')}`)
  return found
}

function distinct(entries: readonly Entry[], where: string): readonly Entry[] {
  if (entries.length > mostClusters) throw new UsageError(`${where}: at most ${mostClusters} clusters`)
  const names = entries.map(({ cluster }) => cluster.name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new UsageError(`${where}: there are two clusters ${twice}`)
  return entries
}

const shown = (value: unknown): string => (value === undefined ? 'is missing: it' : JSON.stringify(value).slice(0, 100))
