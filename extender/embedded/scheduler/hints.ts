import { nodeAffinity } from '../../../policies/node-affinity.ts'
import { nodePorts } from '../../../policies/node-ports.ts'
import { nodeResources } from '../../../policies/node-resources.ts'
import type { FilterPlugin } from '../../../policies/framework.ts'
import { nodeInfo } from '../../../policies/snapshot.ts'
import { taints } from '../../../policies/taints.ts'
import { tolerates } from '../../../policies/tolerations.ts'
import type { Node, Pod } from '../../../policies/types.ts'
import { extenderPlugin } from './diagnosis.ts'
import type { ClusterEvent } from './events.ts'

/** Whether an event may have removed what a plugin had against a pod. */
type Hint = (event: ClusterEvent, pod: Pod) => boolean

const cordon = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' }

/** The queueing hints of the plugins that this scheduler has (upstream `EventsToRegister`, 1.36). */
const hints: Readonly<Record<string, Hint>> = {
  [extenderPlugin]: () => true,

  SchedulingGates: (event, pod) => isOwn(event, pod, 'GatesEliminated'),

  NodeUnschedulable(event, pod) {
    if (isOwn(event, pod, 'Toleration')) return tolerates(pod.shape.tolerations, cordon)
    if (!isNode(event, 'Add', 'Taint') || event.after.unschedulable) return false
    return event.before === undefined || event.before.unschedulable
  },

  TaintToleration(event, pod) {
    if (isOwn(event, pod, 'Toleration')) return true
    return isNode(event, 'Add', 'Taint') && becameFit(event, pod, taints)
  },

  NodeAffinity: (event, pod) => isNode(event, 'Add', 'Label') && becameFit(event, pod, nodeAffinity),

  NodePorts(event, pod) {
    if (isNode(event, 'Add')) return true
    const left = leftBy(event)
    // The port of the pod that left was in the way: on a node with nothing else, it would be.
    return (
      left !== undefined && nodePorts.filter(pod.shape, { ...empty, ports: left.shape.hostPorts }).code !== 'Success'
    )
  },

  NodeResourcesFit(event, pod) {
    if (leftBy(event)) return true
    if (event.resource === 'AssignedPod' && event.action === 'ScaleDown') return true
    if (isOwn(event, pod, 'ScaleDown')) return true
    if (!isNode(event, 'Add', 'Allocatable') || !fits(nodeResources, pod, event.after)) return false
    return event.before === undefined || hasGrown(pod, event.before, event.after)
  }
}

/** Whether the event is worth another try of a pod that those plugins refused; without any, everything is. */
export function isWorthTrying(event: ClusterEvent, pod: Pod, plugins: ReadonlySet<string>): boolean {
  if (plugins.size === 0 || event.resource === 'Any') return true
  for (const plugin of plugins) if (hints[plugin]?.(event, pod)) return true
  return false
}

type NodeEvent = ClusterEvent & { readonly resource: 'Node'; readonly after: Node }

function isNode(event: ClusterEvent, ...actions: readonly string[]): event is NodeEvent {
  return event.resource === 'Node' && event.after !== undefined && actions.includes(event.action)
}

/** Something that was done to the waiting pod itself. */
function isOwn(event: ClusterEvent, pod: Pod, action: string): boolean {
  return event.resource === 'UnscheduledPod' && event.action === action && event.after?.uid === pod.uid
}

/** The pod that has left its node, or the node that it was nominated for. */
function leftBy(event: ClusterEvent): Pod | undefined {
  return event.resource === 'AssignedPod' && event.action === 'Delete' ? event.before : undefined
}

const nowhere: Node = {
  name: '',
  uid: '',
  labels: new Map(),
  taints: [],
  unschedulable: false,
  ready: true,
  allocatable: new Map()
}
const empty = nodeInfo(nowhere, [])

function fits(plugin: FilterPlugin, pod: Pod, node: Node): boolean {
  return plugin.filter(pod.shape, nodeInfo(node, [])).code === 'Success'
}

function becameFit({ before, after }: NodeEvent, pod: Pod, plugin: FilterPlugin): boolean {
  return fits(plugin, pod, after) && (before === undefined || !fits(plugin, pod, before))
}

function hasGrown(pod: Pod, before: Node, after: Node): boolean {
  const grown = (name: string): boolean => (after.allocatable.get(name) ?? 0) > (before.allocatable.get(name) ?? 0)
  return [...pod.shape.requests.keys()].some(grown)
}
