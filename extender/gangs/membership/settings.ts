import { annotations, commit, endingMark, touched } from '../../../policies/names.ts'
import { parseDuration, parseTime } from '../../../policies/parse.ts'
import { amountOf } from '../../../policies/quantity.ts'
import type { Pod, Resources } from '../../../policies/types.ts'
import type { Membership } from './dialects.ts'
import { quoted } from './dialects/fields.ts'
import { foreign } from './dialects/table.ts'
import { single } from './profiles.ts'

/** What a gang asks for besides its members. */
export type Settings = {
  /** How long the gang may wait whole; undefined where it may wait for ever. */
  readonly gangTimeoutMs: number | undefined
  readonly onTimeout: 'requeue' | 'fail' | 'keep'
  readonly onPartial: 'hold' | 'evict'
  /** Whether others may be evicted for it. */
  readonly preempts: boolean
  /** How long it waits for room before anybody is. */
  readonly preemptionDelayMs: number
  /** It is nobody's victim for so long after its start. */
  readonly minRuntimeMs: number
  /** The gang is refused early where the cluster could never hold so much. */
  readonly minResources: Resources | undefined
  /** Its members are let go by one write that holds each to its node for good. */
  readonly pin: boolean
  /** Who binds its members: muster, all together, or kube-scheduler by itself, each as soon as it is let go. */
  readonly binder: 'muster' | 'kube-scheduler'
  /** Annotations of ours that are accepted and do nothing yet. */
  readonly inactive: readonly string[]
  /** Annotations that look like ours and are nobody's. */
  readonly unknown: readonly string[]
  /** What is wrong with them, naming the annotation and the rule. */
  readonly problem: string | undefined
}

/** Accepted, and answered with an event until what they ask for is there; `movable` works for pods outside gangs. */
const notActive: ReadonlySet<string> = new Set([
  ...[annotations.topologyRequired, annotations.topologyPreferred, annotations.topologyRelaxAfter],
  ...[annotations.segmentSize, annotations.exclusive, annotations.timeLimit, annotations.queue],
  ...[annotations.movable, annotations.autoscaler]
])

/** What users set, and what muster itself writes. */
const known: ReadonlySet<string> = new Set([
  ...[...Object.values(annotations), ...Object.values(commit)],
  ...[endingMark, touched]
])
/** The small Kubernetes of muster and its sandboxes have keys of their own under our domain. */
const isElsewhere = (key: string): boolean => /^muster\.dev\/(simulated-|config-path$)/.test(key)
const isUnknown = (key: string): boolean => key.startsWith('muster.dev/') && !known.has(key) && !isElsewhere(key)

/** One annotation's value over all members; members that say nothing are fine, those that speak must agree. */
type Value<T> = { readonly value: T | undefined; readonly problem: string | undefined }

type Speaker = { readonly pod: Pod; readonly said: Pick<Membership, 'dialect'> }

/** What the live members ask for; the same for all of them, or refused. */
export function settingsOf(members: readonly Speaker[]): Settings {
  const pods = members.map(({ pod }) => pod)
  const isAlone = members[0]?.said.dialect === single
  const timeout = valueOf(pods, annotations.gangTimeout, positiveDuration)
  const waiting = valueOf(pods, foreign.koordinatorWait.key, positiveDuration)
  const onTimeout = valueOf(pods, annotations.onTimeout, oneOf('requeue', 'fail', 'keep'))
  const onPartial = valueOf(pods, annotations.onPartial, oneOf('hold', 'evict'))
  const resources = valueOf(pods, annotations.minResources, resourceList)
  const volcano = valueOf(pods, foreign.volcanoResources.key, resourceList)
  const policy = valueOf(pods, annotations.preemptionPolicy, oneOf('PreemptLowerPriority', 'Never'))
  const delay = valueOf(pods, annotations.preemptionDelay, duration)
  const runtime = valueOf(pods, annotations.minRuntime, duration)
  const movable = valueOf(pods, annotations.movable, oneOf('true', 'false'))
  const release = releaseOf(pods)
  const all = [timeout, waiting, onTimeout, onPartial, resources, volcano, policy, delay, runtime, movable, release]
  return {
    gangTimeoutMs: timeout.value ?? waiting.value,
    onTimeout: onTimeout.value ?? 'requeue',
    onPartial: onPartial.value ?? 'hold',
    minResources: resources.value ?? volcano.value,
    // As in-tree, where nobody may ask for more than the PriorityClass gives.
    preempts: policy.value !== 'Never' && pods.every(pod => pod.preempts),
    preemptionDelayMs: delay.value ?? 0,
    minRuntimeMs: runtime.value ?? 0,
    ...{ pin: release.pin, binder: release.binder },
    inactive: keysOn(pods, key => notActive.has(key)).filter(key => !isAlone || key !== annotations.movable),
    unknown: keysOn(pods, isUnknown),
    problem: all.map(({ problem }) => problem).find(problem => problem !== undefined) ?? wrongCheckpoint(pods)
  }
}

/** How members are let go. */
function releaseOf(pods: readonly Pod[]): Pick<Settings, 'pin' | 'binder' | 'problem'> {
  const pin = valueOf(pods, annotations.pin, oneOf('true', 'false'))
  const binder = valueOf(pods, annotations.binder, oneOf('muster', 'kube-scheduler'))
  return { pin: pin.value === 'true', binder: binder.value ?? 'muster', problem: pin.problem ?? binder.problem }
}

/** Checkpoints are each member's own. */
function wrongCheckpoint(pods: readonly Pod[]): string | undefined {
  for (const { name, annotations: all } of pods) {
    const said = all.get(annotations.lastCheckpoint)
    if (said !== undefined && parseTime(said) === undefined)
      return `annotation ${annotations.lastCheckpoint} of ${name}: ${quoted(said)} must be an RFC 3339 time`
  }
  return undefined
}

function keysOn(pods: readonly Pod[], isMeant: (key: string) => boolean): readonly string[] {
  const found = new Set<string>()
  for (const pod of pods) for (const key of pod.annotations.keys()) if (isMeant(key)) found.add(key)
  return [...found].toSorted()
}

/** Answers the value, or the rule that the text breaks. */
type Reader<T> = (text: string) => { readonly value: T } | string

function valueOf<T>(pods: readonly Pod[], key: string, read: Reader<T>): Value<T> {
  const speaker = pods.find(pod => pod.annotations.has(key))
  const text = speaker?.annotations.get(key)
  if (speaker === undefined || text === undefined) return { value: undefined, problem: undefined }
  const other = pods.find(pod => (pod.annotations.get(key) ?? text) !== text)
  if (other) {
    const [one, two] = [speaker, other].map(pod => `${pod.name} says ${quoted(pod.annotations.get(key) ?? '')}`)
    return { value: undefined, problem: `annotation ${key} must be the same on every member: ${one}, ${two}` }
  }
  const result = read(text)
  if (typeof result === 'object') return { value: result.value, problem: undefined }
  return { value: undefined, problem: `annotation ${key}: ${quoted(text)} ${result}` }
}

const positiveDuration: Reader<number> = text => {
  const value = parseDuration(text)
  return value !== undefined && value > 0 ? { value } : 'must be a duration above zero, such as 90s or 1h30m'
}

const duration: Reader<number> = text => {
  const value = parseDuration(text)
  return value !== undefined && value >= 0 ? { value } : 'must be a duration, such as 90s or 1h30m'
}

function oneOf<T extends string>(...allowed: readonly T[]): Reader<T> {
  return text => {
    const value = allowed.find(one => one === text)
    return value === undefined ? `must be one of ${allowed.join(', ')}` : { value }
  }
}

const resourceRule = 'must be a JSON object of resources and quantities, such as {"cpu": "8", "memory": "64Gi"}'

const resourceList: Reader<Resources> = text => {
  const entries = entriesOf(text)
  const amounts = new Map<string, number>()
  for (const [name, quantity] of entries ?? []) {
    const amount = amountOf(name, quantity)
    if (amount === undefined || amount < 0) return resourceRule
    amounts.set(name, amount)
  }
  return entries ? { value: amounts } : resourceRule
}

function entriesOf(text: string): [string, unknown][] | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? Object.entries(json) : undefined
  } catch {
    return undefined
  }
}
