import { type FilterPlugin, success } from './framework.ts'
import { tolerates } from './tolerations.ts'

const notReady = { key: 'node.kubernetes.io/not-ready', value: '', effect: 'NoSchedule' }

/**
 * NodeReady keeps a pod off nodes that are not ready, unless it tolerates the taint of such nodes. Upstream leaves
 * this to that taint, which comes later than the condition: a gang planned in between would have to be repaired.
 */
export const nodeReady = {
  name: 'NodeReady',
  filter({ tolerations }, { node }) {
    return node.ready || tolerates(tolerations, notReady)
      ? success
      : { code: 'UnschedulableAndUnresolvable', reason: 'node(s) were not ready' }
  }
} satisfies FilterPlugin
