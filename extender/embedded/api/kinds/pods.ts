import type { Subresource } from '../../store/client.ts'
import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { equal, type Fields, fields, list, text } from '../fields.ts'
import { timestamp, withField } from '../metadata.ts'
import type { Context, Strategy } from '../strategies.ts'
import { podSpecDefaults, qosClass, requestsFromLimits } from './pod-spec.ts'
import { podChangeProblems } from './pod-changes.ts'
import { podSpecProblems } from './pod-rules.ts'
import { withPriority } from './priority-classes.ts'

/** How pods are completed and checked. */
export const podStrategy: Partial<Strategy> = {
  defaults: pod => {
    const spec = { enableServiceLinks: true, ...requestsFromLimits(podSpecDefaults(pod['spec'])) }
    return withField(pod, 'spec', { ...spec, tolerations: tolerations(spec) })
  },

  create: (pod, context) => {
    const placed = withPriority(pod, context)
    return { ...placed, status: initialStatus(placed, context) }
  },

  update: (pod, current) => {
    const status = fields(pod['status'])
    const { qosClass = fields(current['status'])['qosClass'], phase = 'Pending' } = status
    return equal(pod['status'], current['status']) ? pod : withField(pod, 'status', { ...status, phase, qosClass })
  },

  validate: (pod, current, subresource) =>
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

function creationProblems(pod: KubeObject): readonly Problem[] {
  const spec = fields(pod['spec'])
  const problems = podSpecProblems(spec, 'spec')
  if (!text(spec['nodeName']) || list(spec['schedulingGates']).length === 0) return problems
  const detail = 'cannot be set until all schedulingGates have been cleared'
  return [...problems, { field: 'spec.nodeName', type: 'forbidden', detail }]
}

function changeProblems(pod: KubeObject, current: KubeObject, subresource: Subresource | undefined): readonly Problem[] {
  if (subresource === 'status') return statusProblems(pod, current)
  if (equal(pod['spec'], current['spec'])) return []
  return podChangeProblems(fields(pod['spec']), fields(current['spec']))
}

function statusProblems(pod: KubeObject, current: KubeObject): readonly Problem[] {
  const [next, before] = [fields(pod['status']), fields(current['status'])]
  const problems: Problem[] = []
  const nominated = text(next['nominatedNodeName'])
  if (nominated && nominated !== before['nominatedNodeName'] && text(fields(pod['spec'])['nodeName'])) {
    const detail = 'may not be set on pods that are already bound to a node'
    problems.push({ field: 'status.nominatedNodeName', type: 'forbidden', detail })
  }
  if (before['qosClass'] !== undefined && next['qosClass'] !== before['qosClass'])
    problems.push({ field: 'status.qosClass', type: 'invalid', value: next['qosClass'], detail: 'field is immutable' })
  return problems
}
