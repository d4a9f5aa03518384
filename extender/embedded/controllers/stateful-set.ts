import { isActive, isFinished, isLeaving, isReady, keyOf, type Pod, uidOf, type Workload } from '../kinds.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { hashOf } from './hash.ts'
import { claimPods, deletePod, podFrom, tally } from './pods.ts'
import { writeStatus } from './status.ts'

const resource = 'statefulsets.apps'
const hashLabel = 'controller-revision-hash'

/** Keeps pods with lasting names: one after the other, or all at once where the set says Parallel. */
export function openStatefulSets(shared: Shared, looks: Looks): Controller {
  const sets = shared.informer(resource)
  sets.onChange(({ object }) => object && looks.add(keyOf(object)))
  shared.pods.onChange(change => {
    for (const pod of bothOf(change)) {
      const owner = pod.metadata.ownerReferences?.find(({ kind }) => kind === 'StatefulSet')
      if (owner !== undefined) looks.add(`${pod.metadata.namespace}/${owner.name}`)
    }
  })
  return {
    name: 'stateful-set',
    keys: () => sets.keys(),
    reconcile(key) {
      const set = sets.get(key)
      if (set === undefined || isLeaving(set)) return
      const pods = claimPods(shared, set)
      converge(shared, set, pods)
      const again = tellStatus(shared, set)
      if (again !== undefined) looks.addAfter(key, again)
    }
  }
}

const ordinalOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1)

/** The ordinals that there should be, `end` not included. */
function rangeOf({ spec }: Workload): { readonly start: number; readonly end: number } {
  const { start = 0 } = (spec['ordinals'] ?? {}) as { readonly start?: number }
  return { start, end: start + (spec.replicas ?? 1) }
}

/** One step: create what is missing, else delete what is too much, else replace what is old. */
function converge(shared: Shared, set: Workload, pods: readonly Pod[]): void {
  const { start, end } = rangeOf(set)
  const parallel = set.spec['podManagementPolicy'] === 'Parallel'
  const byOrdinal = new Map(pods.map(pod => [ordinalOf(pod), pod]))
  for (let ordinal = start; ordinal < end; ordinal++) {
    if (keepOne(shared, set, byOrdinal.get(ordinal), ordinal) === 'wait' && !parallel) return
  }
  const surplus = pods.filter(pod => ordinalOf(pod) < start || ordinalOf(pod) >= end).toSorted(highestFirst)
  for (const pod of parallel ? surplus : surplus.slice(0, 1)) deletePod(shared, pod)
  if (surplus.length === 0 && !pods.some(isLeaving)) replaceOld(shared, set, pods)
}

const highestFirst = (one: Pod, other: Pod): number => ordinalOf(other) - ordinalOf(one)

/** `wait` when the next one has to. */
function keepOne(shared: Shared, set: Workload, pod: Pod | undefined, ordinal: number): 'wait' | 'go' {
  if (pod === undefined) {
    shared.client.create('pods', podAt(set, ordinal))
    return 'wait'
  }
  if (isFinished(pod)) deletePod(shared, pod)
  return isActive(pod) && isReady(pod) ? 'go' : 'wait'
}

function podAt(set: Workload, ordinal: number): Pod {
  const name = `${set.metadata.name}-${ordinal}`
  const labels = {
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
    [hashLabel]: revisionOf(set)
  }
  const pod = podFrom(set.spec.template, set, { name, labels })
  const { serviceName } = set.spec as { readonly serviceName?: string }
  return { ...pod, spec: { ...pod.spec, hostname: name, ...(serviceName && { subdomain: serviceName }) } }
}

const revisionOf = (set: Workload): string => `${set.metadata.name}-${hashOf(set.spec.template)}`

/** The highest pod of an old template goes; its successor is ready before the next one does. */
function replaceOld(shared: Shared, set: Workload, pods: readonly Pod[]): void {
  const { type, rollingUpdate } = (set.spec['updateStrategy'] ?? {}) as {
    readonly type?: string
    readonly rollingUpdate?: { readonly partition?: number }
  }
  if (type === 'OnDelete') return
  const partition = rollingUpdate?.partition ?? 0
  const old = pods.filter(pod => ordinalOf(pod) >= partition && !isOf(pod, revisionOf(set))).toSorted(highestFirst)
  const waiting = pods.some(pod => !isReady(pod) && !old.includes(pod))
  const [first] = old
  if (first !== undefined && !waiting) deletePod(shared, first)
}

const isOf = (pod: Pod, revision: string): boolean => pod.metadata.labels?.[hashLabel] === revision

const isDone = ({ spec }: Workload, updated: number, ready: number): boolean =>
  updated === (spec.replicas ?? 1) && ready === updated

function tellStatus(shared: Shared, set: Workload): number | undefined {
  const pods = shared.pods.by('owner', uidOf(set)).filter(pod => !isFinished(pod))
  const { ready, available, again } = tally(pods, set.spec.minReadySeconds ?? 0, shared.clock.wall())
  const updateRevision = revisionOf(set)
  const updated = pods.filter(pod => isOf(pod, updateRevision)).length
  const before = set.status?.['currentRevision'] as string | undefined
  const currentRevision = isDone(set, updated, ready) ? updateRevision : (before ?? updateRevision)
  const currentReplicas = pods.filter(pod => isOf(pod, currentRevision)).length
  writeStatus(shared, resource, set, {
    observedGeneration: set.metadata.generation ?? 1,
    replicas: pods.length,
    availableReplicas: available,
    collisionCount: 0,
    currentRevision,
    updateRevision,
    ...(ready > 0 && { readyReplicas: ready }),
    ...(currentReplicas > 0 && { currentReplicas }),
    ...(updated > 0 && { updatedReplicas: updated })
  })
  return again
}
