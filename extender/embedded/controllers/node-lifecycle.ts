import {
  type Condition,
  conditionOf,
  isFinished,
  isLeaving,
  isReady,
  type Node,
  type Pod,
  referenceTo,
  type Taint,
  timestamp
} from '../kinds.ts'
import { tolerates } from '../selectors.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { deletePod } from './pods.ts'
import { withCondition } from './status.ts'

/** On a node: `stopped` says that its kubelet has fallen silent. */
const heartbeat = 'muster.dev/simulated-heartbeat'

const prefix = 'node.kubernetes.io/'
const managed = [
  'not-ready',
  'unreachable',
  'unschedulable',
  'memory-pressure',
  'disk-pressure',
  'pid-pressure',
  'network-unavailable'
]
const pressures: Readonly<Record<string, string>> = {
  MemoryPressure: 'memory-pressure',
  DiskPressure: 'disk-pressure',
  PIDPressure: 'pid-pressure',
  NetworkUnavailable: 'network-unavailable'
}

/** Taints nodes by their conditions, and takes pods off nodes whose taints they do not tolerate or that are gone. */
export function openNodeLifecycle(shared: Shared, looks: Looks): Controller {
  const silentSince = new Map<string, number>()
  const goneSince = new Map<string, number>()
  shared.nodes.onChange(({ previous, object }) => {
    if (object === undefined || differs(previous, object)) looks.add((object ?? previous)?.metadata.name ?? '')
  })
  shared.pods.onChange(change => {
    for (const { spec } of bothOf(change)) {
      const node = spec.nodeName === undefined ? undefined : shared.nodes.get(spec.nodeName)
      if (spec.nodeName !== undefined && (node === undefined || hasExecute(node))) looks.add(spec.nodeName)
    }
  })
  return {
    name: 'node-lifecycle',
    keys: () => new Set([...shared.nodes.keys(), ...goneSince.keys()]),
    reconcile(name) {
      const node = shared.nodes.get(name)
      const again = node === undefined ? sweep(shared, name, goneSince) : look(shared, node, silentSince)
      if (node !== undefined) goneSince.delete(name)
      if (again !== undefined) looks.addAfter(name, again)
    }
  }
}

const differs = (one: Node | undefined, other: Node): boolean =>
  one === undefined ||
  one.spec !== other.spec ||
  one.metadata.annotations?.[heartbeat] !== other.metadata.annotations?.[heartbeat] ||
  statuses(one) !== statuses(other)

const statuses = (node: Node): string =>
  (node.status?.conditions ?? []).map(({ type, status }) => `${type}=${status}`).join()

const hasExecute = (node: Node): boolean => node.spec?.taints?.some(({ effect }) => effect === 'NoExecute') === true

/** Pods of a node that is gone have nobody to stop them. */
function sweep(shared: Shared, name: string, goneSince: Map<string, number>): number | undefined {
  const pods = shared.pods.by('node', name)
  if (pods.length === 0) {
    goneSince.delete(name)
    return undefined
  }
  const now = shared.clock.now()
  const since = goneSince.get(name) ?? now
  goneSince.set(name, since)
  const left = since + shared.timing.orphanGraceMs - now
  if (left > 0) return left
  for (const pod of pods) shared.client.delete(referenceTo('pods', pod), { gracePeriodSeconds: 0 })
  return undefined
}

function look(shared: Shared, node: Node, silentSince: Map<string, number>): number | undefined {
  const silence = listen(shared, node, silentSince)
  const now = shared.nodes.get(node.metadata.name) ?? node
  const tainted = taint(shared, now)
  if (conditionOf(tainted, 'Ready')?.status !== 'True') markNotReady(shared, tainted)
  const eviction = evict(shared, tainted)
  if (silence === undefined || eviction === undefined) return silence ?? eviction
  return Math.min(silence, eviction)
}

/** A node whose heartbeats stopped is Unknown after a while. */
function listen(shared: Shared, node: Node, silentSince: Map<string, number>): number | undefined {
  const { name, annotations } = node.metadata
  if (annotations?.[heartbeat] !== 'stopped') {
    silentSince.delete(name)
    return undefined
  }
  if (conditionOf(node, 'Ready')?.status === 'Unknown') return undefined
  const now = shared.clock.now()
  const since = silentSince.get(name) ?? now
  silentSince.set(name, since)
  const left = since + shared.timing.nodeGraceMs - now
  if (left > 0) return left
  const unknown: Condition = {
    type: 'Ready',
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.'
  }
  const conditions = withCondition(node.status?.conditions, unknown, timestamp(shared.clock.wall()))
  shared.client.update('nodes', { ...node, status: { ...node.status, conditions } }, 'status')
  return undefined
}

/** The taints that a node's conditions and its being cordoned ask for. */
function wantedTaints(node: Node): readonly Omit<Taint, 'timeAdded'>[] {
  const ready = conditionOf(node, 'Ready')?.status
  const names = Object.entries(pressures).flatMap(([type, name]) =>
    conditionOf(node, type)?.status === 'True' ? [name] : []
  )
  if (node.spec?.unschedulable === true) names.push('unschedulable')
  const down = ready === 'True' ? undefined : ready === 'Unknown' ? 'unreachable' : 'not-ready'
  const all = [...names, ...(down === undefined ? [] : [down])].map(name => ({
    key: prefix + name,
    effect: 'NoSchedule'
  }))
  return down === undefined ? all : [...all, { key: prefix + down, effect: 'NoExecute' }]
}

const same = (one: Omit<Taint, 'timeAdded'>, other: Omit<Taint, 'timeAdded'>): boolean =>
  one.key === other.key && one.effect === other.effect
const isManaged = ({ key }: Taint): boolean => managed.some(name => key === prefix + name)

function taint(shared: Shared, node: Node): Node {
  const before = node.spec?.taints ?? []
  const wanted = wantedTaints(node)
  const kept = before.filter(one => !isManaged(one) || wanted.some(other => same(one, other)))
  const timeAdded = timestamp(shared.clock.wall())
  const added = wanted.filter(one => !before.some(other => same(one, other))).map(one => ({ ...one, timeAdded }))
  if (added.length === 0 && kept.length === before.length) return node
  const taints = [...kept, ...added]
  const patch = { spec: { taints: taints.length === 0 ? null : taints } }
  return shared.client.patch(referenceTo('nodes', node), patch, { type: 'merge' })
}

/** A pod on a node that does not answer is not ready, whatever it said last. */
function markNotReady(shared: Shared, node: Node): void {
  const now = timestamp(shared.clock.wall())
  for (const pod of shared.pods.by('node', node.metadata.name)) {
    if (!isReady(pod) || isFinished(pod)) continue
    const conditions = withCondition(pod.status?.conditions, { type: 'Ready', status: 'False' }, now)
    shared.client.update('pods', { ...pod, status: { ...pod.status, conditions } }, 'status')
  }
}

/** Deletes pods whose time on a node with NoExecute taints is over; answers when the next one's is. */
function evict(shared: Shared, node: Node): number | undefined {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
  if (taints.length === 0) return undefined
  const now = shared.clock.wall()
  let again: number | undefined
  for (const pod of shared.pods.by('node', node.metadata.name)) {
    if (isLeaving(pod) || isFinished(pod)) continue
    const left = timeLeft(pod, taints, now)
    if (left <= 0) evictOne(shared, node, pod)
    else if (left < Infinity) again = Math.min(again ?? Infinity, left)
  }
  return again
}

/** Taints that do not say since when they are there; they keep their identity while they do not change. */
const seen = new WeakMap<Taint, number>()

function firstSeen(taint: Taint, now: number): number {
  const since = seen.get(taint) ?? now
  seen.set(taint, since)
  return since
}

function timeLeft(pod: Pod, taints: readonly Taint[], now: number): number {
  let left = Infinity
  for (const taint of taints) {
    const tolerating = (pod.spec.tolerations ?? []).filter(toleration => tolerates(toleration, taint))
    if (tolerating.length === 0) return 0
    const seconds = Math.min(...tolerating.map(({ tolerationSeconds = Infinity }) => tolerationSeconds))
    const since = Date.parse(taint.timeAdded ?? '') || firstSeen(taint, now)
    left = Math.min(left, since + Math.max(0, seconds) * 1000 - now)
  }
  return left
}

function evictOne(shared: Shared, node: Node, pod: Pod): void {
  const message = `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}`
  shared.events.record(pod, { type: 'Normal', reason: 'TaintManagerEviction', message })
  const status = {
    conditions: withCondition(
      pod.status?.conditions,
      {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: `Taint manager: deleting due to NoExecute taint on ${node.metadata.name}`
      },
      timestamp(shared.clock.wall())
    )
  }
  shared.client.update('pods', { ...pod, status: { ...pod.status, ...status } }, 'status')
  deletePod(shared, pod)
}
