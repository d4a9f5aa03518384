import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { equal, type Fields, fields, list, text, without } from '../fields.ts'
import { immutable } from '../metadata-rules.ts'
import { withField, withMetadata } from '../metadata.ts'
import type { Strategy } from '../strategy.ts'
import { choice, negativeProblems } from './choices.ts'
import { matchProblems, templateProblems } from './workload-rules.ts'
import { templateDefaults, withSpec } from './workloads.ts'

/** How Jobs are completed and checked. */
export const jobStrategy: Partial<Strategy> = {
  defaults: object => labelled(withSpec(object, jobSpecDefaults)),
  create: object => {
    const selected = fields(object['spec'])['manualSelector'] === true ? object : withSelector(object)
    return withField(selected, 'status', {})
  },
  validate: (object, current, { subresource }) => {
    if (subresource === 'status') return []
    const spec = fields(object['spec'])
    const changes = current === undefined ? creationProblems(object) : changeProblems(object, current)
    return [...numberProblems(spec), ...endingProblems(spec), ...changes, ...matchProblems(spec)]
  }
}

function jobSpecDefaults(spec: Fields): Fields {
  const counted = spec['completions'] !== undefined || spec['parallelism'] !== undefined
  const given = { ...spec, template: templateDefaults(spec['template']) }
  return {
    parallelism: 1,
    ...(counted ? {} : { completions: 1 }),
    completionMode: 'NonIndexed',
    // An indexed Job that counts failures by index has no limit for all of them together.
    backoffLimit: spec['backoffLimitPerIndex'] === undefined ? 6 : 2147483647,
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed',
    ...given
  }
}

/** A Job's pods carry its uid, so that no other Job's selector finds them. */
function withSelector(job: KubeObject): KubeObject {
  const { name, uid = '' } = job.metadata
  const labels = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name
  }
  const spec = fields(job['spec'])
  const template = fields(spec['template'])
  const metadata = fields(template['metadata'])
  const labelled = { ...template, metadata: { ...metadata, labels: { ...fields(metadata['labels']), ...labels } } }
  const selector = fields(spec['selector'])
  const matchLabels = { ...fields(selector['matchLabels']), 'batch.kubernetes.io/controller-uid': uid }
  const own = withMetadata(job, { labels: { ...job.metadata.labels, ...labels } })
  return withField(own, 'spec', { ...spec, selector: { ...selector, matchLabels }, template: labelled })
}

/** A Job without labels takes those of its template. */
function labelled(job: KubeObject): KubeObject {
  if (job.metadata.labels !== undefined) return job
  const { metadata } = fields(fields(job['spec'])['template'])
  return withMetadata(job, { labels: fields(metadata)['labels'] as KubeObject['metadata']['labels'] })
}

function creationProblems(job: KubeObject): readonly Problem[] {
  const spec = fields(job['spec'])
  const selector = spec['selector']
  if (spec['manualSelector'] === true)
    return selector === undefined ? [{ field: 'spec.selector', type: 'required' }] : []
  const generated = { matchLabels: { 'batch.kubernetes.io/controller-uid': job.metadata.uid } }
  if (equal(selector, generated)) return []
  return [{ field: 'spec.selector', type: 'invalid', value: selector, detail: '`selector` not auto-generated' }]
}

const counts = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished']

function numberProblems(spec: Fields): readonly Problem[] {
  const problems = negativeProblems(spec, 'spec', counts)
  const modes = choice(spec['completionMode'], ['NonIndexed', 'Indexed'], 'spec.completionMode')
  if (spec['completionMode'] !== 'Indexed' || spec['completions'] !== undefined) return [...problems, ...modes]
  return [...problems, { field: 'spec.completions', type: 'required', detail: 'when completion mode is Indexed' }]
}

function endingProblems({ template }: Fields): readonly Problem[] {
  const problems = templateProblems(template, 'spec.template')
  const policy = text(fields(fields(template)['spec'])['restartPolicy'])
  if (policy === 'OnFailure' || policy === 'Never') return problems
  const detail = 'valid values: "OnFailure", "Never"'
  return [...problems, { field: 'spec.template.spec.restartPolicy', type: 'required', detail }]
}

/** An elastic indexed Job may change its completions together with its parallelism; one that rests its pods' place. */
function changeProblems(job: KubeObject, current: KubeObject): readonly Problem[] {
  const [spec, before] = [fields(job['spec']), fields(current['spec'])]
  const elastic = spec['completionMode'] === 'Indexed' && spec['completions'] === spec['parallelism']
  return [
    ...(elastic ? [] : completionsProblems(spec, before)),
    ...immutable(before['selector'], spec['selector'], 'spec.selector'),
    ...immutable(before['completionMode'], spec['completionMode'], 'spec.completionMode'),
    ...templateChangeProblems(spec['template'], current)
  ]
}

function completionsProblems(spec: Fields, before: Fields): readonly Problem[] {
  const problems = immutable(before['completions'], spec['completions'], 'spec.completions')
  const detail = 'can only be modified in tandem with spec.parallelism'
  return spec['completionMode'] === 'Indexed' ? problems.map(problem => ({ ...problem, detail })) : problems
}

function templateChangeProblems(template: unknown, current: KubeObject): readonly Problem[] {
  const before = fields(current['spec'])['template']
  if (!rests(current)) return immutable(before, template, 'spec.template')
  const [is, was] = [fields(fields(template)['spec']), fields(fields(before)['spec'])]
  return equal(fixed(is), fixed(was)) ? [] : immutable(was, is, 'spec.template.spec')
}

/** Suspended, and no pod of it runs yet or any more. */
function rests({ spec, status }: KubeObject): boolean {
  const { startTime, active = 0, conditions } = fields(status)
  const suspended = list(conditions).some(({ type, status: is }) => type === 'Suspended' && is === 'True')
  return fields(spec)['suspend'] === true && (startTime === undefined || suspended) && active === 0
}

const bare = (container: Fields): Fields => without(container, 'resources')

/** A pod spec without what says where its pods may run, and what they ask for. */
function fixed(spec: Fields): Fields {
  const { nodeSelector: _s, tolerations: _t, schedulingGates: _g, affinity, ...rest } = spec
  return {
    ...rest,
    affinity: without(fields(affinity), 'nodeAffinity'),
    containers: list(spec['containers']).map(bare),
    initContainers: list(spec['initContainers']).map(bare)
  }
}

/** How CronJobs are completed and checked. */
export const cronJobStrategy: Partial<Strategy> = {
  defaults: object =>
    withSpec(object, spec => {
      const { metadata = {}, spec: job } = fields(spec['jobTemplate'])
      const template = { ...fields(job), template: templateDefaults(fields(job)['template']) }
      return {
        concurrencyPolicy: 'Allow',
        suspend: false,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 1,
        ...spec,
        jobTemplate: { metadata, spec: template }
      }
    }),
  validate: object =>
    text(fields(object['spec'])['schedule']) === undefined ? [{ field: 'spec.schedule', type: 'required' }] : []
}
