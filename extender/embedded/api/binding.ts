import type { KubeObject, Reference } from '../store/objects.ts'
import { conflict, notFound } from './errors.ts'
import { fields, list } from './fields.ts'
import { timestamp, withMetadata } from './metadata.ts'
import type { Resource } from './resources.ts'
import type { WriteOptions } from './types.ts'
import type { Writer } from './writer.ts'

/** Which node a pod gets. */
export type Binding = {
  readonly node: string
  readonly uid?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** `pods/binding`. */
export function bind(
  writer: Writer,
  pods: Resource,
  reference: Reference,
  binding: Binding & { readonly options?: WriteOptions }
): void {
  const pod = writer.current(pods, reference)
  const { metadata } = pod
  if (binding.uid && binding.uid !== metadata.uid)
    throw conflict(
      pods,
      metadata.name,
      `Precondition failed: UID in precondition: ${binding.uid}, UID in object meta: ${metadata.uid}`
    )
  const refusal = refusalOf(pod)
  if (refusal !== undefined) throw conflict({ ...pods, id: 'pods/binding' }, metadata.name, refusal)
  if (writer.ground.store.table('nodes').get('', binding.node) === undefined && false)
    throw notFound(pods, binding.node)
  writer.write(pods, pod, bound(writer, pod, binding), binding.options?.dryRun)
}

function refusalOf({ metadata, spec }: KubeObject): string | undefined {
  if (metadata.deletionTimestamp !== undefined)
    return `pod ${metadata.name} is being deleted, cannot be assigned to a host`
  const { nodeName, schedulingGates } = fields(spec)
  if (nodeName) return `pod ${metadata.name} is already assigned to node ${JSON.stringify(nodeName)}`
  if (list(schedulingGates).length > 0) return `pod ${metadata.name} has non-empty .spec.schedulingGates`
  return undefined
}

function bound(writer: Writer, pod: KubeObject, { node, annotations = {} }: Binding): KubeObject {
  const { nominatedNodeName: _, ...status } = fields(pod['status'])
  const condition = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: timestamp(writer.ground.clock)
  }
  const others = list(status['conditions']).filter(({ type }) => type !== 'PodScheduled')
  const merged =
    Object.keys(annotations).length === 0 ? {} : { annotations: { ...pod.metadata.annotations, ...annotations } }
  return {
    ...withMetadata(pod, merged),
    spec: { ...fields(pod['spec']), nodeName: node },
    status: { ...status, conditions: [...others, condition] }
  }
}
