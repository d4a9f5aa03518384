import { type FilterPlugin, success } from './framework.ts'
import { tolerates } from './tolerations.ts'

const cordon = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' }

/** NodeUnschedulable keeps a pod off cordoned nodes, unless it tolerates the taint that a cordon stands for. */
export const nodeUnschedulable = {
  name: 'NodeUnschedulable',
  filter({ tolerations }, { node }) {
    return node.unschedulable && !tolerates(tolerations, cordon)
      ? { code: 'UnschedulableAndUnresolvable', reason: 'node(s) were unschedulable' }
      : success
  }
} satisfies FilterPlugin
