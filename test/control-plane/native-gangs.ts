import { isSince } from './release.ts'

/** Whether Kubernetes' own gangs are on, and whether they may evict. */
export type NativeGangs = boolean | 'preempting'

/** Where their PodGroups are: alpha in 1.36, where the API also had other names before, and beta since 1.37. */
export const nativeGroupVersion = `scheduling.k8s.io/${isSince(37) ? 'v1beta1' : 'v1alpha2'}`

/** The feature gates that turn them on; since 1.37 one is for all, preemption included. */
export function nativeGangFlags(on: NativeGangs): readonly string[] {
  if (on === false) return []
  const more = isSince(37) ? [] : ['GangScheduling', ...(on === 'preempting' ? ['WorkloadAwarePreemption'] : [])]
  return [`--feature-gates=${['GenericWorkload', ...more].map(gate => `${gate}=true`).join(',')}`]
}
