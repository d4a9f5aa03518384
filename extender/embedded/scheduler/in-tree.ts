import { nodeAffinity } from '../../../policies/node-affinity.ts'
import { nodePorts } from '../../../policies/node-ports.ts'
import { nodeUnschedulable } from '../../../policies/node-unschedulable.ts'
import type { FilterPlugin } from '../../../policies/framework.ts'
import { joined, type NodeInfo } from '../../../policies/snapshot.ts'
import { taints } from '../../../policies/taints.ts'
import type { Pod, Shape } from '../../../policies/types.ts'
import type { NodeStatus } from './diagnosis.ts'

/** A refusal, signed by upstream's name of the plugin, because events wake pods by it. */
export type Refusal = NodeStatus & { readonly plugin: string }

type InTreeFilter = (shape: Shape, info: NodeInfo) => Refusal | undefined

/** kube-scheduler's own filters, in its order, as far as this cluster has them. */
export class InTree {
  readonly #filters: readonly InTreeFilter[]

  constructor(ignoredResources: ReadonlySet<string>) {
    this.#filters = [
      named('NodeUnschedulable', nodeUnschedulable),
      named('TaintToleration', taints),
      named('NodeAffinity', nodeAffinity),
      named('NodePorts', nodePorts),
      (shape, info) => fit(shape, info, ignoredResources)
    ]
  }

  /**
   * The first refusal; undefined where the node takes the pod even if all `nominated` come there too. Upstream asks a
   * second time without those; none of these filters would then say no.
   */
  refusal(pod: Pod, info: NodeInfo, nominated: readonly Pod[]): Refusal | undefined {
    const crowded = nominated.reduce(joined, info)
    for (const filter of this.#filters) {
      const refusal = filter(pod.shape, crowded)
      if (refusal) return refusal
    }
    return undefined
  }
}

function named(plugin: string, policy: FilterPlugin): InTreeFilter {
  return (shape, info) => {
    const status = policy.filter(shape, info)
    return status.code === 'Success' ? undefined : { code: status.code, reasons: [status.reason], plugin }
  }
}

/** NodeResourcesFit names every resource that lacks; a request above the whole node is unresolvable. */
function fit(shape: Shape, { node, used }: NodeInfo, ignored: ReadonlySet<string>): Refusal | undefined {
  const lacking = [...shape.requests].filter(([name, amount]) => {
    return amount > 0 && !ignored.has(name) && amount > (node.allocatable.get(name) ?? 0) - (used.get(name) ?? 0)
  })
  if (lacking.length === 0) return undefined
  const isTooLarge = lacking.some(([name, amount]) => name !== 'pods' && amount > (node.allocatable.get(name) ?? 0))
  return {
    code: isTooLarge ? 'UnschedulableAndUnresolvable' : 'Unschedulable',
    reasons: lacking.map(([name]) => (name === 'pods' ? 'Too many pods' : `Insufficient ${name}`)),
    plugin: 'NodeResourcesFit'
  }
}

/** The nodes that a pod names outright, as those of DaemonSets do; undefined where it does not (NodeAffinity's PreFilter). */
export function namedNodes({ affinity }: Shape): ReadonlySet<string> | undefined {
  if (!affinity || affinity.length === 0) return undefined
  const names = new Set<string>()
  for (const { matchFields } of affinity) {
    const field = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')
    if (!field) return undefined
    for (const name of field.values) names.add(name)
  }
  return names
}
