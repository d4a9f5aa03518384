import { type FilterPlugin, success } from './framework.ts'

const name = 'OnePodPerNode'

/** A node takes one pod of these scheduler names; pods of others, DaemonSets among them, only use room. */
export function onePodPerNode(schedulerNames: ReadonlySet<string>): FilterPlugin {
  return {
    name,
    filter: (_, { pods }) =>
      pods.some(pod => schedulerNames.has(pod.schedulerName))
        ? { code: 'Unschedulable', reason: 'node(s) had a pod of this scheduler already' }
        : success,
    seesPods: () => true
  }
}

export const isOnePodPerNode = (filter: FilterPlugin): boolean => filter.name === name
