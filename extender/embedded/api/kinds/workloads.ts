import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { equal, type Fields, fields } from '../fields.ts'
import { immutable } from '../metadata-rules.ts'
import { withField, withMetadata } from '../metadata.ts'
import type { Strategy } from '../strategy.ts'
import { negativeProblems } from './choices.ts'
import { podSpecDefaults } from './pod-spec.ts'
import {
  countProblems,
  daemonSetProblems,
  deploymentProblems,
  endlessProblems,
  statefulSetChangeProblems,
  workloadProblems
} from './workload-rules.ts'

/** A pod template with upstream's defaults. */
export function templateDefaults(template: unknown): Fields {
  const { metadata = {}, spec, ...rest } = fields(template)
  return { ...rest, metadata, spec: podSpecDefaults(spec) }
}

/** An object whose spec is what `complete` makes of it. */
export const withSpec = (object: KubeObject, complete: (spec: Fields) => Fields): KubeObject =>
  withField(object, 'spec', complete(fields(object['spec'])))

type Rules = {
  /** As upstream names it where a selector is empty. */
  readonly kind: string
  readonly complete: (spec: Fields) => Fields
  readonly problems?: (spec: Fields) => readonly Problem[]
  readonly changeProblems?: (spec: Fields, current: Fields) => readonly Problem[]
}

const fixedSelector = (spec: Fields, current: Fields): readonly Problem[] =>
  immutable(current['selector'], spec['selector'], 'spec.selector')

const workload = ({ kind, complete, problems, changeProblems = fixedSelector }: Rules): Partial<Strategy> => ({
  defaults: object => withSpec(object, spec => ({ ...complete(spec), template: templateDefaults(spec['template']) })),
  validate: (object, current, { subresource }) => {
    if (subresource === 'status') return countProblems(fields(object['status']))
    const spec = fields(object['spec'])
    return [
      ...workloadProblems(spec, kind),
      ...(problems?.(spec) ?? []),
      ...(current === undefined ? [] : changeProblems(spec, fields(current['spec'])))
    ]
  }
})

export const replicaSetStrategy = workload({ kind: 'deployment', complete: spec => ({ replicas: 1, ...spec }) })

export const deploymentStrategy = workload({
  kind: 'deployment',
  complete: spec => ({
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    ...spec,
    strategy: rolling(spec['strategy'], { maxUnavailable: '25%', maxSurge: '25%' })
  }),
  problems: deploymentProblems
})

function rolling(given: unknown, usual: Fields): Fields {
  const strategy = { type: 'RollingUpdate', ...fields(given) }
  if (strategy.type !== 'RollingUpdate') return strategy
  return { ...strategy, rollingUpdate: { ...usual, ...fields(fields(given)['rollingUpdate']) } }
}

const templateGeneration = 'deprecated.daemonset.template.generation'

export const daemonSetStrategy: Partial<Strategy> = {
  ...workload({
    kind: 'daemonset',
    complete: spec => ({
      revisionHistoryLimit: 10,
      ...spec,
      updateStrategy: rolling(spec['updateStrategy'], { maxUnavailable: 1, maxSurge: 0 })
    }),
    problems: daemonSetProblems
  }),
  create: object => withTemplateGeneration(object, 1),
  update: (object, current) => {
    const before = Number(current.metadata.annotations?.[templateGeneration] ?? 1)
    const [was, is] = [fields(current['spec'])['template'], fields(object['spec'])['template']]
    return withTemplateGeneration(object, equal(was, is) ? before : before + 1)
  }
}

const withTemplateGeneration = (object: KubeObject, count: number): KubeObject =>
  withMetadata(object, { annotations: { ...object.metadata.annotations, [templateGeneration]: String(count) } })

export const statefulSetStrategy = workload({
  kind: 'statefulset',
  complete: spec => ({
    replicas: 1,
    podManagementPolicy: 'OrderedReady',
    revisionHistoryLimit: 10,
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    ...spec,
    updateStrategy: rolling(spec['updateStrategy'], { partition: 0 })
  }),
  changeProblems: statefulSetChangeProblems
})

/** Of these, upstream takes the template's labels where there are none. */
function labelled(object: KubeObject): KubeObject {
  const { labels } = fields(fields(fields(object['spec'])['template'])['metadata'])
  const own = object.metadata.labels ?? (labels as KubeObject['metadata']['labels'])
  return own === undefined ? object : withMetadata(object, { labels: own })
}

export const replicationControllerStrategy: Partial<Strategy> = {
  defaults: object =>
    withSpec(labelled(object), spec => {
      const template = templateDefaults(spec['template'])
      const selector = spec['selector'] ?? fields(template['metadata'])['labels']
      return { replicas: 1, selector, ...spec, template }
    }),
  validate: (object, _current, { subresource }) => {
    const spec = fields(object['spec'])
    return subresource === 'status' ? [] : [...negativeProblems(spec, 'spec', ['replicas']), ...endlessProblems(spec)]
  }
}
