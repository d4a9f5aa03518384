import type { Profile } from './framework.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodePorts } from './node-ports.ts'
import { nodeReady } from './node-ready.ts'
import { nodeResources } from './node-resources.ts'
import { nodeUnschedulable } from './node-unschedulable.ts'
import { taints } from './taints.ts'

export { runFilters } from './framework.ts'

/** Gangs are planned, single pods pass through. What never changes on a node is asked first: evictions cannot help. */
export const muster: Profile = {
  name: 'muster',
  filters: [nodeUnschedulable, nodeReady, taints, nodeAffinity, nodePorts, nodeResources]
}
