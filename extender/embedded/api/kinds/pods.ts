import type { Subresource } from '../../store/client.ts'
import type { KubeObject } from '../../store/objects.ts'
import type { Store } from '../../store/store.ts'
import type { Problem } from '../errors.ts'
import { equal, type Fields, fields, list, text } from '../fields.ts'
import { timestamp, withField, withMetadata } from '../metadata.ts'
import { addressProblems } from '../names.ts'
import type { Context, Strategy } from '../strategy.ts'
import { podSpecDefaults, qosClass, requestsFromLimits } from './pod-spec.ts'
import { podChangeProblems } from './pod-changes.ts'
import { podSpecProblems } from './pod-rules.ts'
import { withFormerPriority, withPriority } from './priority-classes.ts'

/** How pods are completed and checked. */
export const podStrategy: Partial<Strategy> = {
  defaults: pod => {
    const spec: Fields = { enableServiceLinks: true, ...requestsFromLimits(podSpecDefaults(pod['spec'])) }
    // Upstream makes something of a grace that cannot be.
    const isNegative = Number(spec['terminationGracePeriodSeconds']) < 0
    const grace = isNegative ? { terminationGracePeriodSeconds: 1 } : {}
    return withField(pod, 'spec', { ...spec, ...grace, tolerations: tolerations(spec) })
  },

  create: (pod, context) => {
    const placed = withTopology(withPriority(pod, context), context.store)
    return { ...placed, status: initialStatus(placed, context) }
  },

  update: (pod, current, { store, options }) =>
    options.subresource === 'status' ? withStatus(pod, current) : withTopology(withFormerPriority(pod, current), store),

  validate: (pod, current, { subresource }) =>
    current === undefined ? creationProblems(pod) : changeProblems(pod, current, subresource)
}

const away = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const

/** A pod stays five minutes on a node that is gone, unless it says otherwise itself. */
function tolerations(spec: Fields): readonly Fields[] {
  const own = list(spec['tolerations'])
  const missing = away.filter(key => !own.some(toleration => toleratesAway(toleration, key)))
  const added = missing.map(key => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))
  return [...own, ...added]
}

const toleratesAway = ({ key, effect }: Fields, wanted: string): boolean =>
  (!key || key === wanted) && (!effect || effect === 'NoExecute')

function initialStatus(pod: KubeObject, { clock }: Context): Fields {
  const spec = fields(pod['spec'])
  const status = { phase: 'Pending', qosClass: qosClass(spec) }
  if (list(spec['schedulingGates']).length === 0) return status
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    lastProbeTime: null,
    lastTransitionTime: timestamp(clock),
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates'
  }
  return { ...status, conditions: [condition] }
}

/** Old kubelets would lose owners, so the status does not touch them; and of an address and a list of them, one gives the other. */
function withStatus(pod: KubeObject, current: KubeObject): KubeObject {
  const owned = withMetadata(pod, { ownerReferences: current.metadata.ownerReferences })
  const status = fields(pod['status'])
  if (equal(status, current['status'])) return owned
  const { qosClass = fields(current['status'])['qosClass'], phase = 'Pending', nominatedNodeName } = status
  const next = { ...status, ...addresses(status), phase, qosClass, nominatedNodeName: nominatedNodeName || undefined }
  return withField(owned, 'status', next)
}

function addresses({ podIP, podIPs }: Fields): Fields {
  const [first] = list(podIPs)
  if (podIP && first?.['ip'] !== podIP) return { podIP, podIPs: [{ ip: podIP }] }
  return first === undefined ? {} : { podIP: first['ip'] }
}

/** Labels of a node that its pods carry as well, so that they can read them of themselves. */
export function topologyOf(store: Store, nodeName: unknown): Readonly<Record<string, string>> {
  const labels = store.table('nodes').get('', text(nodeName) ?? '')?.metadata.labels ?? {}
  return Object.fromEntries(Object.entries(labels).filter(([key]) => topology.has(key)))
}

const topology = new Set(['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'])

function withTopology(pod: KubeObject, store: Store): KubeObject {
  const labels = topologyOf(store, fields(pod['spec'])['nodeName'])
  if (Object.keys(labels).length === 0) return pod
  return withMetadata(pod, { labels: { ...pod.metadata.labels, ...labels } })
}

function creationProblems(pod: KubeObject): readonly Problem[] {
  const spec = fields(pod['spec'])
  const problems: Problem[] = [...podSpecProblems(spec, 'spec')]
  if (list(spec['ephemeralContainers']).length > 0)
    problems.push({ field: 'spec.ephemeralContainers', type: 'forbidden', detail: 'cannot be set on create' })
  if (!text(spec['nodeName']) || list(spec['schedulingGates']).length === 0) return problems
  const detail = 'cannot be set until all schedulingGates have been cleared'
  return [...problems, { field: 'spec.nodeName', type: 'forbidden', detail }]
}

function changeProblems(
  pod: KubeObject,
  current: KubeObject,
  subresource: Subresource | undefined
): readonly Problem[] {
  if (subresource === 'status') return statusProblems(pod, current)
  if (equal(pod['spec'], current['spec'])) return []
  return podChangeProblems(fields(pod['spec']), fields(current['spec']))
}

function statusProblems(pod: KubeObject, current: KubeObject): readonly Problem[] {
  const [next, before] = [fields(pod['status']), fields(current['status'])]
  const problems = list(next['podIPs']).flatMap(({ ip }, index) =>
    addressProblems(`status.podIPs[${index}]`, String(ip))
  )
  const nominated = text(next['nominatedNodeName'])
  if (nominated && nominated !== before['nominatedNodeName'] && text(fields(pod['spec'])['nodeName'])) {
    const detail = 'may not be set on pods that are already bound to a node'
    problems.push({ field: 'status.nominatedNodeName', type: 'forbidden', detail })
  }
  if (before['qosClass'] !== undefined && next['qosClass'] !== before['qosClass'])
    problems.push({ field: 'status.qosClass', type: 'invalid', value: next['qosClass'], detail: 'field is immutable' })
  return problems
}
