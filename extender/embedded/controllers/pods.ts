import {
  conditionOf,
  controllerOf,
  isActive,
  isLeaving,
  isReady,
  type Pod,
  type PodTemplate,
  referenceTo,
  uidOf,
  type Workload
} from '../kinds.ts'
import { labelIndex } from './routes.ts'
import { selects } from '../selectors.ts'
import type { KubeObject, OwnerReference } from '../store/objects.ts'
import type { Shared } from './controller.ts'

/** The reference by which an object manages another. */
export function ownedBy({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true, blockOwnerDeletion: true }
}

/** What a pod has besides its template. */
export type Extra = {
  /** Without it the API gives a random suffix. */
  readonly name?: string
  readonly generateName?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
}

/** A pod made from its owner's template. */
export function podFrom(template: PodTemplate, owner: KubeObject, extra: Extra = {}): Pod {
  const { name, generateName = `${owner.metadata.name}-` } = extra
  const { labels, annotations, finalizers } = template.metadata ?? {}
  const all = [...(finalizers ?? []), ...(extra.finalizers ?? [])]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name === undefined ? { name: '', generateName } : { name }),
      ...(owner.metadata.namespace !== undefined && { namespace: owner.metadata.namespace }),
      labels: { ...labels, ...extra.labels },
      annotations: { ...annotations, ...extra.annotations },
      ...(all.length > 0 && { finalizers: all }),
      ownerReferences: [ownedBy(owner)]
    },
    spec: template.spec
  }
}

/** The pods that an owner manages, after it has adopted those that fit its selector and let go of those that do not. */
export function claimPods(shared: Shared, owner: Workload): readonly Pod[] {
  const { selector } = owner.spec
  const { namespace = '' } = owner.metadata
  const mine = shared.pods.by('owner', uidOf(owner)).filter(pod => {
    if (isLeaving(pod) || selects(selector, pod.metadata.labels)) return true
    release(shared, pod, owner)
    return false
  })
  if (isLeaving(owner)) return mine
  const orphans = shared.pods
    .by('orphans', namespace)
    .filter(pod => isActive(pod) && selects(selector, pod.metadata.labels))
  return [...mine, ...orphans.map(pod => adopt(shared, pod, owner))]
}

function release(shared: Shared, pod: Pod, owner: KubeObject): void {
  const ownerReferences = (pod.metadata.ownerReferences ?? []).filter(other => other.uid !== owner.metadata.uid)
  shared.client.patch(referenceTo('pods', pod), { metadata: { ownerReferences } }, { type: 'merge' })
}

function adopt(shared: Shared, pod: Pod, owner: KubeObject): Pod {
  const ownerReferences = [...(pod.metadata.ownerReferences ?? []), ownedBy(owner)]
  return shared.client.patch(referenceTo('pods', pod), { metadata: { ownerReferences } }, { type: 'merge' }) as Pod
}

/** How long until a ready pod counts as available; 0 when it does, undefined when it is not ready. */
export function untilAvailable(pod: Pod, minReadySeconds: number, wall: number): number | undefined {
  if (!isReady(pod)) return undefined
  if (minReadySeconds === 0) return 0
  const since = Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '')
  return Number.isNaN(since) ? 0 : Math.max(0, since + minReadySeconds * 1000 - wall)
}

/** Counts pods that are there, ready, and ready for long enough; `again` is when the next one becomes available. */
export function tally(
  pods: readonly Pod[],
  minReadySeconds: number,
  wall: number
): { readonly ready: number; readonly available: number; readonly again: number | undefined } {
  let [ready, available] = [0, 0]
  let again: number | undefined
  for (const pod of pods) {
    const wait = untilAvailable(pod, minReadySeconds, wall)
    if (wait === undefined) continue
    ready++
    if (wait === 0) available++
    else again = Math.min(again ?? Infinity, wait)
  }
  return { ready, available, again }
}

/** Deletes a pod that is this very one, unless it is going already. */
export function deletePod(shared: Shared, pod: Pod): void {
  if (isLeaving(pod)) return
  const { uid } = pod.metadata
  shared.client.delete(referenceTo('pods', pod), { ...(uid !== undefined && { preconditions: { uid } }) })
}

const phases = ['Pending', 'Unknown', 'Running']
const restartsOf = (pod: Pod): number =>
  (pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0)
const costOf = (pod: Pod): number =>
  Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0)
const phaseOf = (pod: Pod): number => phases.indexOf(pod.status?.phase ?? 'Pending')
const readySince = (pod: Pod): number => Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '') || 0

/**
 * Whom to delete first, as upstream: 1. Unassigned. 2. Pending, then Unknown. 3. Not ready. 4. Lower deletion cost.
 * 5. More siblings on the node. 6. Ready for less time. 7. More restarts. 8. Newer. 9. By uid.
 */
export function byDeletion(pods: readonly Pod[]): readonly Pod[] {
  const siblings = Map.groupBy(pods, pod => pod.spec.nodeName ?? '')
  const rank = (pod: Pod): readonly number[] => [
    pod.spec.nodeName === undefined ? 0 : 1,
    phaseOf(pod),
    isReady(pod) ? 1 : 0,
    costOf(pod),
    -(siblings.get(pod.spec.nodeName ?? '')?.length ?? 0),
    -readySince(pod),
    -restartsOf(pod),
    -Date.parse(pod.metadata.creationTimestamp ?? '')
  ]
  const ranked = pods.map(pod => ({ pod, rank: rank(pod) }))
  ranked.sort((one, other) => compare(one.rank, other.rank) || (uidOf(one.pod) < uidOf(other.pod) ? -1 : 1))
  return ranked.map(({ pod }) => pod)
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (const [index, value] of one.entries()) {
    const difference = value - (other[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Index functions of the pods' informer. */
export const podIndexes = {
  owner: (pod: Pod): readonly string[] => {
    const owner = controllerOf(pod)
    return owner === undefined ? [] : [owner.uid]
  },
  orphans: (pod: Pod): readonly string[] =>
    controllerOf(pod) === undefined ? [pod.metadata.namespace ?? 'default'] : [],
  node: (pod: Pod): readonly string[] => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName]),
  namespace: (pod: Pod): readonly string[] => [pod.metadata.namespace ?? 'default'],
  label: labelIndex
}
