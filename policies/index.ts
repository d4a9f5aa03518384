import type { Profile } from './framework.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodePorts } from './node-ports.ts'
import { nodeReady } from './node-ready.ts'
import { nodeResources } from './node-resources.ts'
import { nodeUnschedulable } from './node-unschedulable.ts'
import { onePodPerNode } from './one-pod-per-node.ts'
import { taints } from './taints.ts'

export { runFilters } from './framework.ts'

/** What never changes on a node is asked first: evictions cannot help. */
const usual = [nodeUnschedulable, nodeReady, taints, nodeAffinity, nodePorts, nodeResources]

/** Gangs are planned, single pods pass through. */
export const muster: Profile = {
  name: 'muster',
  filters: usual,
  plansSingles: false,
  byAnnotation: false,
  smallerFirst: false
}

/** Everything is planned, by the annotation `priority`; with `alone`, at most one pod of these names to a node. */
export function customScheduler(alone: ReadonlySet<string>): Profile {
  return {
    name: 'custom-scheduler',
    filters: alone.size > 0 ? [onePodPerNode(alone), ...usual] : usual,
    plansSingles: true,
    byAnnotation: true,
    smallerFirst: true
  }
}
