import { type FilterPlugin, success } from './framework.ts'

/** A node takes one pod of these scheduler names; pods of others, DaemonSets among them, only use room. */
export function onePodPerNode(schedulerNames: ReadonlySet<string>): FilterPlugin {
  return {
    name: 'OnePodPerNode',
    filter: (_, { pods }) =>
      pods.some(pod => schedulerNames.has(pod.schedulerName))
        ? { code: 'Unschedulable', reason: 'node(s) had a pod of this scheduler already' }
        : success,
    seesPods: () => true
  }
}
