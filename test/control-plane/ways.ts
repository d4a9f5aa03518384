import type { Lab } from './lab.ts'
import { gangObjects, type NamedPod, podObject } from './objects.ts'

/** One way to ask for a gang. */
export interface Way {
  readonly name: string
  pods(lab: Lab, namespace: string): Promise<readonly NamedPod[]>
}

/** Gated and ungated by muster, and the native gang; of that PriorityClass, if one is given. */
export function ways(size: number, priorityClassName?: string): Readonly<Record<'gated' | 'ungated' | 'native', Way>> {
  const rank = priorityClassName === undefined ? {} : { priorityClassName }
  const gang = { name: 'gang', size, ...rank }
  return {
    gated: { name: 'muster, gated', pods: async () => gangObjects({ ...gang, gated: true }) },
    ungated: { name: 'muster, ungated', pods: async () => gangObjects({ ...gang, gated: false }) },
    native: {
      name: 'native gang (alpha of 1.36)',
      async pods(lab, namespace) {
        const spec = { schedulingPolicy: { gang: { minCount: size } }, ...rank }
        const group = { metadata: { name: 'gang' }, spec }
        await lab.cluster.client.create(`/apis/scheduling.k8s.io/v1alpha2/namespaces/${namespace}/podgroups`, group)
        return Array.from({ length: size }, (_, index) => podObject(`pod-${index}`, { ...rank, podGroup: 'gang' }))
      }
    }
  }
}
