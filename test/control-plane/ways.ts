import type { Lab } from './lab.ts'
import { gangObjects, type NamedPod, podObject } from './objects.ts'

/** One way to ask for a gang. */
export interface Way {
  readonly name: string
  pods(lab: Lab, namespace: string): Promise<readonly NamedPod[]>
}

/** Gated and ungated by muster, the native gang, and no gang at all. */
export function ways(size: number): Readonly<Record<'gated' | 'ungated' | 'native' | 'loose', Way>> {
  return {
    gated: { name: 'muster, gated', pods: async () => gangObjects({ name: 'gang', size, gated: true }) },
    ungated: { name: 'muster, ungated', pods: async () => gangObjects({ name: 'gang', size, gated: false }) },
    loose: { name: 'no gang, stock scheduler', pods: async () => single(size) },
    native: {
      name: 'native gang (alpha of 1.36)',
      async pods(lab, namespace) {
        const group = { metadata: { name: 'gang' }, spec: { schedulingPolicy: { gang: { minCount: size } } } }
        await lab.cluster.client.create(`/apis/scheduling.k8s.io/v1alpha2/namespaces/${namespace}/podgroups`, group)
        return single(size, 'gang')
      }
    }
  }
}

/** That many pods that belong to no gang, or to that native one. */
function single(size: number, podGroup?: string): readonly NamedPod[] {
  const options = podGroup === undefined ? {} : { podGroup }
  return Array.from({ length: size }, (_, index) => podObject(`pod-${index}`, options))
}
