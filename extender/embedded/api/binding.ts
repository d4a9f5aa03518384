import type { Binding } from '../store/client.ts'
import { type KubeObject, type Reference, StatusError } from '../store/objects.ts'
import { conflict } from './errors.ts'
import { fields, list } from './fields.ts'
import { topologyOf } from './kinds/pods.ts'
import { timestamp, withMetadata } from './metadata.ts'
import type { Resource } from './resource.ts'
import type { WriteOptions } from './types.ts'
import { wrongUid } from './updates.ts'
import type { Writer } from './writer.ts'

/** `pods/binding`. */
export function bind(
  writer: Writer,
  pods: Resource,
  reference: Reference,
  binding: Binding & { readonly options?: WriteOptions }
): void {
  if (binding.node === '') throw new StatusError(500, '', 'target.name: Required value')
  const pod = writer.current(pods, reference)
  const { metadata } = pod
  if (binding.uid && binding.uid !== metadata.uid) throw wrongUid(pods, pod, binding.uid)
  const refusal = refusalOf(pod)
  // Upstream names the sub-resource here.
  if (refusal !== undefined)
    throw conflict({ ...pods, id: 'pods/binding', plural: 'pods/binding' }, metadata.name, refusal)
  writer.write(pods, pod, bound(writer, pod, binding), binding.options?.dryRun)
}

function refusalOf({ metadata, spec }: KubeObject): string | undefined {
  const { name } = metadata
  const { nodeName, schedulingGates } = fields(spec)
  if (metadata.deletionTimestamp !== undefined) return `pod ${name} is being deleted, cannot be assigned to a host`
  if (nodeName) return `pod ${name} is already assigned to node ${JSON.stringify(nodeName)}`
  return list(schedulingGates).length > 0 ? `pod ${name} has non-empty .spec.schedulingGates` : undefined
}

/** Upstream leaves the generation as it is: the node is no change of what is wanted of the pod. */
function bound({ ground }: Writer, pod: KubeObject, { node, annotations, labels }: Binding): KubeObject {
  const { nominatedNodeName: _, ...status } = fields(pod['status'])
  const condition = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: timestamp(ground.clock)
  }
  const others = list(status['conditions']).filter(({ type }) => type !== 'PodScheduled')
  const told = withMetadata(pod, {
    annotations: merged(pod.metadata.annotations, annotations),
    labels: merged(pod.metadata.labels, { ...labels, ...topologyOf(ground.store, node) })
  })
  return {
    ...told,
    spec: { ...fields(pod['spec']), nodeName: node },
    status: { ...status, conditions: [...others, condition] }
  }
}

type Texts = Readonly<Record<string, string>>

/** Undefined where there is nothing in either. */
function merged(own: Texts | undefined, more: Texts | undefined): Texts | undefined {
  const all = { ...own, ...more }
  return Object.keys(all).length === 0 ? undefined : all
}
