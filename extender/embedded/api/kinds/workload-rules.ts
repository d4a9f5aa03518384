import { selects } from '../../selectors.ts'
import type { Problem } from '../errors.ts'
import { equal, type Fields, fields, isFields, without } from '../fields.ts'
import { annotationProblems, labelMapProblems } from '../names.ts'
import { labelSelectorProblems } from '../selector-rules.ts'
import { choice, negativeProblems, partProblems, shareProblems } from './choices.ts'
import { podSpecProblems } from './pod-rules.ts'

/** What is wrong with a template of pods. */
export function templateProblems(template: unknown, path: string): readonly Problem[] {
  const { metadata, spec } = fields(template)
  return [
    ...labelMapProblems(`${path}.labels`, fields(fields(metadata)['labels'])),
    ...annotationProblems(`${path}.annotations`, fields(fields(metadata)['annotations'])),
    ...podSpecProblems(fields(spec), `${path}.spec`)
  ]
}

/** What is wrong with how many pods a controller of pods that never end wants, and of which kind. */
export function workloadProblems(spec: Fields, kind: string): readonly Problem[] {
  return [
    ...negativeProblems(spec, 'spec', ['replicas', 'minReadySeconds', 'revisionHistoryLimit']),
    ...selectorProblems(spec, kind),
    ...endlessProblems(spec)
  ]
}

/** What is wrong with a selector that is to find the pods of a template. */
function selectorProblems({ selector, template }: Fields, kind: string): readonly Problem[] {
  const problems: Problem[] = [...labelSelectorProblems(selector, 'spec.selector')]
  const isEmpty = isFields(selector) && Object.keys(selector).length === 0
  if (!isFields(selector)) problems.push({ field: 'spec.selector', type: 'required' })
  if (isEmpty) {
    const detail = `empty selector is invalid for ${kind}`
    problems.push({ field: 'spec.selector', type: 'invalid', value: selector, detail })
  }
  if (problems.length > 0 && isFields(selector) && !isEmpty)
    problems.push({ field: 'spec.selector', type: 'invalid', value: selector, detail: 'invalid label selector' })
  else if (!isEmpty) problems.push(...matchProblems({ selector, template }))
  return problems
}

/** Whether a selector finds the pods of a template. */
export function matchProblems({ selector, template }: Fields): readonly Problem[] {
  const labels = fields(fields(fields(template)['metadata'])['labels']) as Readonly<Record<string, string>>
  const detail = '`selector` does not match template `labels`'
  if (isFields(selector) && selects(selector, labels)) return []
  return [{ field: 'spec.template.metadata.labels', type: 'invalid', value: labels, detail }]
}

/** Pods of such a template are restarted whenever they end. */
export function endlessProblems({ template }: Fields): readonly Problem[] {
  const podSpec = fields(fields(template)['spec'])
  const path = 'spec.template'
  const detail = 'activeDeadlineSeconds in ReplicaSet is not Supported'
  return [
    ...templateProblems(template, path),
    ...choice(podSpec['restartPolicy'], ['Always'], `${path}.spec.restartPolicy`),
    ...(podSpec['activeDeadlineSeconds'] === undefined
      ? []
      : [{ field: `${path}.spec.activeDeadlineSeconds`, type: 'forbidden', detail } as const])
  ]
}

const parts = ['fullyLabeledReplicas', 'currentReplicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas']

/** What counts of pods cannot be. */
export function countProblems(status: Fields): readonly Problem[] {
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status
  const names = ['observedGeneration', 'replicas', 'unavailableReplicas', 'collisionCount', ...parts]
  const large = parts.filter(name => Number(status[name] ?? 0) > Number(replicas))
  const problems: Problem[] = [...negativeProblems(status, 'status', names)]
  for (const name of large) {
    const detail = 'cannot be greater than status.replicas'
    problems.push({ field: `status.${name}`, type: 'invalid', value: status[name], detail })
  }
  if (Number(availableReplicas) <= Number(readyReplicas)) return problems
  const detail = 'cannot be greater than readyReplicas'
  return [...problems, { field: 'status.availableReplicas', type: 'invalid', value: availableReplicas, detail }]
}

/** How a Deployment goes from one template to the next. */
export function deploymentProblems(spec: Fields): readonly Problem[] {
  const { progressDeadlineSeconds: deadline, minReadySeconds: ready = 0 } = spec
  const strategy = fields(spec['strategy'])
  const path = 'spec.strategy'
  const problems: Problem[] = [...negativeProblems(spec, 'spec', ['progressDeadlineSeconds'])]
  if (typeof deadline === 'number' && deadline <= Number(ready)) {
    const detail = 'must be greater than minReadySeconds'
    problems.push({ field: 'spec.progressDeadlineSeconds', type: 'invalid', value: deadline, detail })
  }
  if (strategy['type'] === 'RollingUpdate')
    return [...problems, ...rollingProblems(fields(strategy['rollingUpdate']), `${path}.rollingUpdate`)]
  if (strategy['type'] !== 'Recreate') {
    const detail = 'supported values: "Recreate", "RollingUpdate"'
    return [...problems, { field: path, type: 'unsupported', value: strategy, detail }]
  }
  const detail = "may not be specified when strategy `type` is 'Recreate'"
  if (strategy['rollingUpdate'] === undefined) return problems
  return [...problems, { field: `${path}.rollingUpdate`, type: 'forbidden', detail }]
}

function rollingProblems({ maxUnavailable, maxSurge }: Fields, path: string): readonly Problem[] {
  const field = `${path}.maxUnavailable`
  const problems: Problem[] = [...partProblems(maxUnavailable, field), ...shareProblems(maxSurge, `${path}.maxSurge`)]
  if (isZero(maxUnavailable) && isZero(maxSurge))
    problems.push({ field, type: 'invalid', value: maxUnavailable, detail: 'may not be 0 when `maxSurge` is 0' })
  return problems
}

/** As upstream, a text that is no percentage counts as none. */
function isZero(share: unknown): boolean {
  if (typeof share === 'number') return share === 0
  return !(typeof share === 'string' && /^0*[1-9][0-9]*%$/.test(share))
}

/** How a DaemonSet goes from one template to the next: each node loses its old pod first, or gets its new one first. */
export function daemonSetProblems(spec: Fields): readonly Problem[] {
  const strategy = fields(spec['updateStrategy'])
  const path = 'spec.updateStrategy'
  if (strategy['type'] === 'OnDelete') return []
  if (strategy['type'] !== 'RollingUpdate') {
    const detail = 'supported values: "OnDelete", "RollingUpdate"'
    return [{ field: path, type: 'unsupported', value: strategy, detail }]
  }
  const { maxUnavailable, maxSurge } = fields(strategy['rollingUpdate'])
  const [field, surge] = [`${path}.rollingUpdate.maxUnavailable`, `${path}.rollingUpdate.maxSurge`]
  const problems: Problem[] = [...partProblems(maxUnavailable, field), ...partProblems(maxSurge, surge)]
  if (isZero(maxUnavailable) && isZero(maxSurge))
    problems.push({ field, type: 'required', detail: 'cannot be 0 when maxSurge is 0' })
  if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    const detail = 'may not be set when maxUnavailable is non-zero'
    problems.push({ field: surge, type: 'invalid', value: maxSurge, detail })
  }
  return problems
}

const changeable = [
  ...['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit'],
  ...['persistentVolumeClaimRetentionPolicy', 'minReadySeconds']
]

/** What of a StatefulSet may change. */
export function statefulSetChangeProblems(next: Fields, current: Fields): readonly Problem[] {
  if (equal(without(next, ...changeable), without(current, ...changeable))) return []
  const detail =
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
  return [{ field: 'spec', type: 'forbidden', detail }]
}
