import { type FilterPlugin, success } from './framework.ts'
import { tolerates } from './tolerations.ts'

/** Taints keeps a pod off nodes with a NoSchedule or NoExecute taint that it does not tolerate. */
export const taints = {
  name: 'Taints',
  filter({ tolerations }, { node }) {
    const untolerated = node.taints.some(
      taint => (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') && !tolerates(tolerations, taint)
    )
    return untolerated ? { code: 'UnschedulableAndUnresolvable', reason: 'node(s) had untolerated taint(s)' } : success
  }
} satisfies FilterPlugin
