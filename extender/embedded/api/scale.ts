import { type KubeObject, StatusError } from '../store/objects.ts'
import { type Problem, refuse } from './errors.ts'
import { at, fields, isFields } from './fields.ts'
import type { Resource, ScalePaths } from './resource.ts'

const usual: ScalePaths = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' }

function pathsOf(resource: Resource, object: KubeObject): ScalePaths {
  if (resource.custom === undefined && resource.subresources.includes('scale')) return usual
  const version = object.apiVersion.slice(object.apiVersion.indexOf('/') + 1)
  const paths = resource.custom?.versions[version]?.scale
  if (paths === undefined) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource')
  return paths
}

const steps = (path: string): readonly string[] => path.split('.').filter(step => step !== '')

/** The `autoscaling/v1` Scale of an object. */
export function scaleOf(resource: Resource, object: KubeObject): KubeObject {
  const paths = pathsOf(resource, object)
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const replicas = at(object, ...steps(paths.specReplicasPath)) ?? 0
  const selector = selectorOf(object, paths)
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { replicas },
    status: { replicas: at(object, ...steps(paths.statusReplicasPath)) ?? 0, ...selector }
  }
}

function selectorOf(object: KubeObject, paths: ScalePaths): { readonly selector?: string } {
  if (paths.labelSelectorPath !== undefined) {
    const text = at(object, ...steps(paths.labelSelectorPath))
    return typeof text === 'string' ? { selector: text } : {}
  }
  const selector = fields(at(object, 'spec', 'selector'))
  const labels = isFields(selector['matchLabels']) ? selector['matchLabels'] : selector
  const terms = Object.entries(labels).filter(([, value]) => typeof value === 'string')
  return terms.length === 0 ? {} : { selector: terms.map(([key, value]) => `${key}=${String(value)}`).join(',') }
}

const scales = { group: 'autoscaling', kind: 'Scale' } as const

const negative = (value: number): Problem => ({
  field: 'spec.replicas',
  type: 'invalid',
  value,
  detail: 'must be greater than or equal to 0'
})

/** The object with the replicas that a Scale asks for. */
export function scaled(resource: Resource, object: KubeObject, scale: KubeObject): KubeObject {
  const replicas = at(scale, 'spec', 'replicas') ?? 0
  if (typeof replicas === 'number' && replicas < 0) refuse(scales, object.metadata.name, [negative(replicas)])
  const next = put(object, steps(pathsOf(resource, object).specReplicasPath), replicas) as KubeObject
  const { resourceVersion } = scale.metadata
  return resourceVersion === undefined ? next : { ...next, metadata: { ...next.metadata, resourceVersion } }
}

function put(value: unknown, path: readonly string[], leaf: unknown): unknown {
  const [step, ...rest] = path
  return step === undefined ? leaf : { ...fields(value), [step]: put(fields(value)[step], rest, leaf) }
}
