import type { NodeInfo } from '../../../policies/snapshot.ts'
import type { Node, Pod } from '../../../policies/types.ts'
import type { KubeObject, Reference } from '../store/objects.ts'

/** Makes the words of the filters from API objects. `kubernetes/` owns it; whoever starts the scheduler plugs it in. */
export type Projection = {
  readonly pod: (object: KubeObject) => Pod
  readonly node: (object: KubeObject) => Node
}

/** A pod as the scheduler knows it: the object that extenders are shown, and what the filters read of it. */
export type PodView = { readonly object: KubeObject; readonly pod: Pod }

export type NodeView = { readonly object: KubeObject; readonly node: Node }

/** A node at the beginning of a cycle, with what stands or is assumed on it. */
export type NodeEntry = NodeView & { readonly info: NodeInfo; readonly pods: readonly PodView[] }

/** `namespace/name`, as messages write it. */
export const keyOf = ({ namespace, name }: Pod): string => `${namespace}/${name}`

export const referenceOf = ({ namespace, name }: Pod): Reference => ({ resource: 'pods', namespace, name })
