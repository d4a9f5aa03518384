import type { Subresource } from '../store/client.ts'
import type { KubeObject } from '../store/objects.ts'
import type { Problem } from './errors.ts'
import { withField, withMetadata } from './metadata.ts'
import { podStrategy } from './pods.ts'
import type { Resource } from './resources.ts'
import type { WriteOptions } from './types.ts'
import type { Ground } from './writer.ts'

/** What a strategy may look at. */
export type Context = Ground & { readonly resource: Resource; readonly options: WriteOptions }

/** What is particular to one resource; each part is asked by the Writer in the order in which it stands here. */
export type Strategy = {
  /** Completes a new object: defaults, admission, what only the server may set. */
  create(object: KubeObject, context: Context): KubeObject
  /** Completes a changed object. */
  update(object: KubeObject, current: KubeObject, context: Context): KubeObject
  validate(object: KubeObject, current: KubeObject | undefined, subresource?: Subresource): readonly Problem[]
  /** After the write. */
  stored(object: KubeObject, ground: Ground): void
  removed(object: KubeObject, ground: Ground): void
}

const withGeneration = new Set([
  'replicasets.apps',
  'deployments.apps',
  'daemonsets.apps',
  'statefulsets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'replicationcontrollers',
  'poddisruptionbudgets.policy',
  'pods',
  'endpointslices.discovery.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io'
])

const usual: Strategy = {
  create: (object, { resource }) => {
    const bare =
      resource.subresources.includes('status') && resource.id !== 'nodes'
        ? withField(object, 'status', undefined)
        : object
    const counts = resource.custom !== undefined || withGeneration.has(resource.id)
    return counts ? withMetadata(bare, { generation: 1 }) : bare
  },
  update: object => object,
  validate: () => [],
  stored: () => {},
  removed: () => {}
}

const own: Readonly<Record<string, Partial<Strategy>>> = {
  pods: podStrategy,
  namespaces: {
    create: (object, context) => {
      const metadata = { labels: { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name } }
      return {
        ...withMetadata(usual.create(object, context), metadata),
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' }
      }
    }
  }
}

/** How a resource's objects are written. */
export function strategyOf(resource: Resource): Strategy {
  const special = own[resource.id]
  if (special === undefined) return usual
  return { ...usual, ...special }
}
