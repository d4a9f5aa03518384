import type { KubeObject } from '../../store/objects.ts'
import { forbidden, type Problem } from '../errors.ts'
import { fields } from '../fields.ts'
import { withField, withMetadata } from '../metadata.ts'
import type { Strategy } from '../strategy.ts'
import { negativeProblems } from './choices.ts'
import { withSpec } from './workloads.ts'

export const claimStrategy: Partial<Strategy> = {
  defaults: object => withSpec(object, spec => ({ volumeMode: 'Filesystem', ...spec })),
  create: object => withField(object, 'status', { phase: 'Pending' })
}

export const storageClassStrategy: Partial<Strategy> = {
  defaults: object => ({ reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate', ...object })
}

export const leaseStrategy: Partial<Strategy> = {
  defaults: object => withSpec(object, spec => spec),
  validate: object => {
    const spec = fields(object['spec'])
    const duration = spec['leaseDurationSeconds']
    const problems: Problem[] = [...negativeProblems(spec, 'spec', ['leaseTransitions'])]
    if (typeof duration !== 'number' || duration > 0) return problems
    const detail = 'must be greater than 0'
    return [{ field: 'spec.leaseDurationSeconds', type: 'invalid', value: duration, detail }, ...problems]
  }
}

/** A namespace is held by its own finalizer, which is in its spec, until all in it is gone. */
export const namespaceStrategy: Partial<Strategy> = {
  create: object => {
    const { name, labels } = object.metadata
    const labelled = withMetadata(object, { labels: { ...labels, 'kubernetes.io/metadata.name': name } })
    return { ...labelled, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
  },
  update: (object, current, { options }) => {
    const labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name }
    const finalizers = fields(object['spec'])['finalizers']
    const finalizes = options.subresource === 'finalize' || isLeaving(current)
    const spec = finalizes ? { ...(finalizers === undefined ? {} : { finalizers }) } : current['spec']
    return withField(withMetadata(object, { labels }), 'spec', spec)
  },
  validate: (object, _current, { subresource }) => {
    const { phase } = fields(object['status'])
    const leaves = object.metadata.deletionTimestamp !== undefined
    if (subresource !== 'status' || (phase === 'Terminating') === leaves) return []
    const detail = leaves
      ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
      : "may only be 'Active' if `deletionTimestamp` is empty"
    return [{ field: 'status.Phase', type: 'invalid', value: phase ?? '', detail }]
  },
  deletable: ({ metadata: { name } }, { resource }) => {
    if (name === 'default' || name === 'kube-system' || name === 'kube-public')
      throw forbidden(resource, name, 'this namespace may not be deleted')
  },
  holds: object => listed(fields(object['spec'])['finalizers']).length > 0
}

const isLeaving = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

const listed = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
