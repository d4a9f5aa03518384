import type { KubeObject } from '../../store/objects.ts'
import { labelSelectorMatches } from '../../store/label-selector.ts'
import type { Problem } from '../errors.ts'
import { type Fields, fields, isFields } from '../fields.ts'
import { immutable } from '../metadata-rules.ts'
import { withField, withMetadata } from '../metadata.ts'
import type { Strategy } from '../strategies.ts'
import { podSpecDefaults } from './pod-spec.ts'
import { choice, podSpecProblems } from './pod-rules.ts'

/** A pod template with upstream's defaults. */
export function templateDefaults(template: unknown): Fields {
  const { metadata = {}, spec, ...rest } = fields(template)
  return { ...rest, metadata, spec: podSpecDefaults(spec) }
}

/** An object whose spec is what `complete` makes of it. */
export const withSpec = (object: KubeObject, complete: (spec: Fields) => Fields): KubeObject =>
  withField(object, 'spec', complete(fields(object['spec'])))

/** What is wrong with a selector that is to find the pods of a template. */
function selectorProblems(spec: Fields): readonly Problem[] {
  const { selector, template } = spec
  const labels = fields(fields(fields(template)['metadata'])['labels']) as Readonly<Record<string, string>>
  const problems: Problem[] = []
  if (!isFields(selector)) problems.push({ field: 'spec.selector', type: 'required' })
  else if (Object.keys(selector).length === 0)
    problems.push({ field: 'spec.selector', type: 'invalid', value: selector, detail: 'empty selector is invalid for this resource' })
  if (isFields(selector) && labelSelectorMatches(selector, labels)) return problems
  const detail = '`selector` does not match template `labels`'
  return [...problems, { field: 'spec.template.metadata.labels', type: 'invalid', value: labels, detail }]
}

/** Replicas are not negative, and pods of such a template are restarted. */
function templateProblems(spec: Fields): readonly Problem[] {
  const { replicas, template } = spec
  const podSpec = fields(fields(template)['spec'])
  const negative: readonly Problem[] =
    typeof replicas === 'number' && replicas < 0
      ? [{ field: 'spec.replicas', type: 'invalid', value: replicas, detail: 'must be greater than or equal to 0' }]
      : []
  const policy = 'spec.template.spec.restartPolicy'
  return [...negative, ...podSpecProblems(podSpec, 'spec.template.spec'), ...choice(podSpec['restartPolicy'], ['Always'], policy)]
}

const workload = (complete: (spec: Fields) => Fields): Partial<Strategy> => ({
  defaults: object => withSpec(object, spec => ({ ...complete(spec), template: templateDefaults(spec['template']) })),
  validate: (object, current, subresource) => {
    if (subresource === 'status') return []
    const spec = fields(object['spec'])
    const fixed = current === undefined ? [] : immutable(fields(current['spec'])['selector'], spec['selector'], 'spec.selector')
    return [...selectorProblems(spec), ...templateProblems(spec), ...fixed]
  }
})

export const replicaSetStrategy = workload(spec => ({ replicas: 1, ...spec }))

export const deploymentStrategy = workload(spec => ({
  replicas: 1,
  revisionHistoryLimit: 10,
  progressDeadlineSeconds: 600,
  ...spec,
  strategy: rolling(spec['strategy'], { maxUnavailable: '25%', maxSurge: '25%' })
}))

function rolling(given: unknown, usual: Fields): Fields {
  const strategy = { type: 'RollingUpdate', ...fields(given) }
  if (strategy.type !== 'RollingUpdate') return strategy
  return { ...strategy, rollingUpdate: { ...usual, ...fields(fields(given)['rollingUpdate']) } }
}

export const daemonSetStrategy: Partial<Strategy> = {
  ...workload(spec => ({
    revisionHistoryLimit: 10,
    ...spec,
    updateStrategy: rolling(spec['updateStrategy'], { maxUnavailable: 1, maxSurge: 0 })
  })),
  create: object => {
    const annotations = { ...object.metadata.annotations, 'deprecated.daemonset.template.generation': '1' }
    return withMetadata(object, { annotations })
  }
}

export const statefulSetStrategy = workload(spec => ({
  replicas: 1,
  podManagementPolicy: 'OrderedReady',
  revisionHistoryLimit: 10,
  persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
  ...spec,
  updateStrategy: rolling(spec['updateStrategy'], { partition: 0 })
}))

export const replicationControllerStrategy: Partial<Strategy> = {
  defaults: object =>
    withSpec(object, spec => {
      const template = templateDefaults(spec['template'])
      const selector = spec['selector'] ?? fields(template['metadata'])['labels']
      return { replicas: 1, selector, ...spec, template }
    }),
  validate: (object, _current, subresource) => (subresource === 'status' ? [] : templateProblems(fields(object['spec'])))
}
