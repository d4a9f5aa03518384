import { isDeepStrictEqual } from 'node:util'
import type { Node, Pod } from '../../../policies/types.ts'
import { object, objects } from './json.ts'
import type { NodeView, PodView } from './views.ts'

export type PodAction =
  | 'Add'
  | 'Delete'
  | 'ScaleDown'
  | 'GatesEliminated'
  | 'Toleration'
  /** None of the more special ones. */
  | 'Update'

export type NodeAction = 'Add' | 'Delete' | 'Taint' | 'Allocatable' | 'Label' | 'Condition' | 'Annotation'

/** Something that happened and may let a waiting pod in. */
export type ClusterEvent =
  | {
      readonly resource: 'AssignedPod' | 'UnscheduledPod'
      readonly action: PodAction
      readonly before: Pod | undefined
      readonly after: Pod | undefined
    }
  | {
      readonly resource: 'Node'
      readonly action: NodeAction
      readonly before: Node | undefined
      readonly after: Node | undefined
    }
  /** Volumes, claims and their classes: only pods that an extender refused listen. */
  | { readonly resource: 'Other' }
  /** Whatever a pod waits for. */
  | { readonly resource: 'Any' }

/** What the update of a pod may mean; `Update` where nothing special is seen (upstream `PodSchedulingPropertiesChange`). */
export function podUpdates(before: Pod, after: Pod): readonly ClusterEvent[] {
  const resource = after.nodeName === undefined ? 'UnscheduledPod' : 'AssignedPod'
  const special: PodAction[] = []
  if (isScaledDown(before, after)) special.push('ScaleDown')
  if (before.gates.length > 0 && after.gates.length === 0) special.push('GatesEliminated')
  if (before.shape.tolerations.length !== after.shape.tolerations.length) special.push('Toleration')
  const actions: readonly PodAction[] = special.length > 0 ? special : ['Update']
  return actions.map(action => ({ resource, action, before, after }))
}

function isScaledDown(before: Pod, after: Pod): boolean {
  const now = after.shape.requests
  return [...before.shape.requests].some(([name, amount]) => (now.get(name) ?? -1) < amount)
}

/** What the update of a node may mean; nothing for a heartbeat. */
export function nodeUpdates(before: NodeView, after: NodeView): readonly ClusterEvent[] {
  const actions: NodeAction[] = []
  if (before.node.unschedulable && !after.node.unschedulable) actions.push('Taint')
  for (const [action, read] of nodeParts) {
    if (!isDeepStrictEqual(read(before), read(after))) actions.push(action)
  }
  return actions.map(action => ({ resource: 'Node', action, before: before.node, after: after.node }))
}

const nodeParts: readonly (readonly [NodeAction, (view: NodeView) => unknown])[] = [
  ['Allocatable', ({ node }) => node.allocatable],
  ['Label', ({ node }) => node.labels],
  ['Taint', ({ node }) => node.taints],
  [
    'Condition',
    ({ object: { status } }) => objects(object(status).conditions).map(({ type, status }) => [type, status])
  ],
  ['Annotation', ({ object: { metadata } }) => metadata.annotations ?? {}]
]

/** A bound pod came, or left; the room of a nominated pod that leaves counts as well. */
export const assigned = (action: 'Add' | 'Delete', { pod }: PodView): ClusterEvent =>
  action === 'Add'
    ? { resource: 'AssignedPod', action, before: undefined, after: pod }
    : { resource: 'AssignedPod', action, before: pod, after: undefined }
