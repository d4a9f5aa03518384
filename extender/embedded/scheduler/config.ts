import { parseDuration } from '../../../policies/parse.ts'
import { UsageError } from '../../errors.ts'
import { type Json, object, objects, text } from './json.ts'

/** One entry of `extenders`; a verb that is empty is not asked. */
export type ExtenderConfig = {
  readonly urlPrefix: string
  readonly filterVerb: string
  readonly prioritizeVerb: string
  readonly preemptVerb: string
  readonly bindVerb: string
  readonly weight: number
  readonly timeoutMs: number
  readonly nodeCacheCapable: boolean
  readonly ignorable: boolean
  /** Empty: every pod is of interest. */
  readonly managedResources: ReadonlySet<string>
  readonly tls: Json
}

/** What the scheduler takes from a KubeSchedulerConfiguration. */
export type SchedulerConfig = {
  /** Scheduler name → percentage of nodes to score, 0 where it adapts to the number of nodes. */
  readonly profiles: ReadonlyMap<string, number>
  /** In the order in which they are asked: those that may be ignored last. */
  readonly extenders: readonly ExtenderConfig[]
  readonly initialBackoffMs: number
  readonly maxBackoffMs: number
  /** Extended resources that only select pods for an extender; the resource filter does not count them. */
  readonly ignoredResources: ReadonlySet<string>
}

const defaultTimeoutMs = 5_000

/** Reads a KubeSchedulerConfiguration, as `muster scheduler-config` prints it. Throws UsageError that names the field. */
export function schedulerConfig(document: Json): SchedulerConfig {
  if (document.kind !== 'KubeSchedulerConfiguration')
    throw new UsageError(`kind: ${JSON.stringify(document.kind)} must be KubeSchedulerConfiguration`)
  const percentage = number(document.percentageOfNodesToScore, 0)
  const profiles = objects(document.profiles).map(
    profile =>
      [
        text(profile.schedulerName) || 'default-scheduler',
        number(profile.percentageOfNodesToScore, percentage)
      ] as const
  )
  const entries = objects(document.extenders)
  const extenders = entries.map(extenderOf)
  check(extenders)
  return {
    profiles: new Map(profiles.length > 0 ? profiles : [['default-scheduler', percentage]]),
    extenders: [...extenders.filter(each => !each.ignorable), ...extenders.filter(each => each.ignorable)],
    initialBackoffMs: number(document.podInitialBackoffSeconds, 1) * 1000,
    maxBackoffMs: number(document.podMaxBackoffSeconds, 10) * 1000,
    ignoredResources: new Set(entries.flatMap(entry => resourcesOf(entry, true)))
  }
}

function extenderOf(entry: Json, index: number): ExtenderConfig {
  const field = `extenders[${index}]`
  const urlPrefix = text(entry.urlPrefix)
  if (!URL.canParse(urlPrefix)) throw new UsageError(`${field}.urlPrefix: ${JSON.stringify(entry.urlPrefix)} is no URL`)
  const weight = number(entry.weight, 0)
  if (text(entry.prioritizeVerb) !== '' && weight <= 0)
    throw new UsageError(`${field}.weight: must be positive where prioritizeVerb is set`)
  return {
    urlPrefix: urlPrefix.replace(/\/+$/, ''),
    filterVerb: text(entry.filterVerb),
    prioritizeVerb: text(entry.prioritizeVerb),
    preemptVerb: text(entry.preemptVerb),
    bindVerb: text(entry.bindVerb),
    weight,
    timeoutMs: timeoutOf(entry.httpTimeout, `${field}.httpTimeout`),
    nodeCacheCapable: entry.nodeCacheCapable === true,
    ignorable: entry.ignorable === true,
    managedResources: new Set(resourcesOf(entry, false)),
    tls: object(entry.tlsConfig)
  }
}

function timeoutOf(value: unknown, field: string): number {
  const duration = parseDuration(text(value) || '0s')
  if (duration === undefined || duration < 0) throw new UsageError(`${field}: ${JSON.stringify(value)} is no duration`)
  return duration || defaultTimeoutMs
}

function resourcesOf(entry: Json, onlyIgnored: boolean): string[] {
  const managed = objects(entry.managedResources)
  return managed.filter(each => !onlyIgnored || each.ignoredByScheduler === true).map(each => text(each.name))
}

/** What kube-scheduler refuses to start with. */
function check(extenders: readonly ExtenderConfig[]): void {
  if (extenders.filter(each => each.bindVerb !== '').length > 1)
    throw new UsageError('extenders: only one of them may have a bindVerb')
  const managed = extenders.flatMap(each => [...each.managedResources])
  const twice = managed.find((name, index) => managed.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`extenders: the managed resource ${twice} stands in two of them`)
}

function number(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback
}
