import type { Lab } from './lab.ts'
import { nativeGroupVersion } from './native-gangs.ts'
import { gangObjects, type NamedPod, podObject, type PodOptions } from './objects.ts'

/** One way to ask for a gang. */
export interface Way {
  readonly name: string
  pods(lab: Lab, namespace: string): Promise<readonly NamedPod[]>
}

/** Gated and ungated by muster, the native gang, and no gang at all; of that PriorityClass, if one is given. */
export function ways(
  size: number,
  priorityClassName?: string
): Readonly<Record<'gated' | 'ungated' | 'native' | 'loose', Way>> {
  const rank = priorityClassName === undefined ? {} : { priorityClassName }
  const gang = { name: 'gang', size, ...rank }
  return {
    gated: { name: 'muster, gated', pods: async () => gangObjects({ ...gang, gated: true }) },
    ungated: { name: 'muster, ungated', pods: async () => gangObjects({ ...gang, gated: false }) },
    loose: { name: 'no gang, stock scheduler', pods: async () => single(size, rank) },
    native: {
      name: 'native gang',
      async pods(lab, namespace) {
        const spec = { schedulingPolicy: { gang: { minCount: size } }, ...rank }
        const group = { metadata: { name: 'gang' }, spec }
        await lab.cluster.client.create(`/apis/${nativeGroupVersion}/namespaces/${namespace}/podgroups`, group)
        return single(size, { ...rank, podGroup: 'gang' })
      }
    }
  }
}

/** That many pods that are no gang of muster's. */
function single(size: number, options: PodOptions): readonly NamedPod[] {
  return Array.from({ length: size }, (_, index) => podObject(`pod-${index}`, options))
}
