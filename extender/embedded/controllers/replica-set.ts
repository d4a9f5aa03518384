import {
  type Condition,
  isActive,
  isFinished,
  isLeaving,
  keyOf,
  type Pod,
  timestamp,
  uidOf,
  type Workload
} from '../kinds.ts'
import { selects } from '../selectors.ts'
import { StatusError } from '../store/objects.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { byDeletion, claimPods, deletePod, podFrom, tally } from './pods.ts'
import { withCondition, withoutCondition, writeStatus } from './status.ts'

/** The annotation that makes a ReplicaSet name its pods name-0, name-1, …; the highest go first. */
export const ordinalNames = 'k4s/ordinal-names'

/** The most pods that one look creates; the rest follows at the next one. */
const burst = 500

const resource = 'replicasets.apps'

/** Keeps as many pods of a ReplicaSet as it asks for. */
export function openReplicaSets(shared: Shared, looks: Looks): Controller {
  const sets = shared.informer(resource)
  sets.onChange(({ object }) => object && looks.add(keyOf(object)))
  shared.pods.onChange(change => {
    for (const pod of bothOf(change))
      for (const set of ownersOf(sets.by('namespace', namespaceOf(pod)), pod)) looks.add(keyOf(set))
  })
  return {
    name: 'replica-set',
    keys: () => sets.keys(),
    reconcile(key) {
      const set = sets.get(key)
      if (set === undefined) return
      const pods = claimPods(shared, set)
      const failure = isLeaving(set) ? undefined : converge(shared, set, pods)
      const again = tellStatus(shared, set, failure)
      if (again !== undefined) looks.addAfter(key, again)
      if (failure instanceof StatusError) throw failure
    }
  }
}

const namespaceOf = (pod: Pod): string => pod.metadata.namespace ?? 'default'

/** Who manages the pod, or who might adopt it. */
function ownersOf(sets: readonly Workload[], pod: Pod): readonly Workload[] {
  const owner = pod.metadata.ownerReferences?.find(one => one.controller === true)
  if (owner !== undefined) return owner.kind === 'ReplicaSet' ? sets.filter(set => uidOf(set) === owner.uid) : []
  return sets.filter(set => selects(set.spec.selector, pod.metadata.labels))
}

/** Creates what is missing and deletes what is too much; answers why something could not be created. */
function converge(shared: Shared, set: Workload, pods: readonly Pod[]): unknown {
  const active = pods.filter(isActive)
  const wanted = set.spec.replicas ?? 1
  try {
    if (set.metadata.annotations?.[ordinalNames] === 'true') convergeOrdinals(shared, set, pods)
    else if (active.length < wanted) create(shared, set, Math.min(burst, wanted - active.length))
    else for (const pod of byDeletion(active).slice(0, active.length - wanted)) deletePod(shared, pod)
    return undefined
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    shared.events.record(set, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${error.message}` })
    return error
  }
}

function create(shared: Shared, set: Workload, count: number): void {
  for (let left = count; left > 0; left--) shared.client.create('pods', podFrom(set.spec.template, set))
}

/** The pods name-0 to name-(n-1); a name whose pod is still going is free once it is gone. */
function convergeOrdinals(shared: Shared, set: Workload, pods: readonly Pod[]): void {
  const { template, replicas = 1 } = set.spec
  const wanted = new Set(Array.from({ length: replicas }, (_, index) => `${set.metadata.name}-${index}`))
  for (const pod of pods.toReversed()) if (!wanted.has(pod.metadata.name) || isFinished(pod)) deletePod(shared, pod)
  for (const pod of pods) wanted.delete(pod.metadata.name)
  for (const name of wanted) {
    const { namespace = 'default' } = set.metadata
    if (shared.pods.get(`${namespace}/${name}`) === undefined)
      shared.client.create('pods', podFrom(template, set, { name }))
  }
}

function tellStatus(shared: Shared, set: Workload, failure: unknown): number | undefined {
  const now = shared.clock.wall()
  const pods = shared.pods.by('owner', uidOf(set)).filter(isActive)
  const { ready, available, again } = tally(pods, set.spec.minReadySeconds ?? 0, now)
  const labelled = pods.filter(pod =>
    selects({ matchLabels: set.spec.template.metadata?.labels ?? {} }, pod.metadata.labels)
  )
  const conditions = conditionsOf(set, failure, timestamp(now))
  writeStatus(shared, resource, set, {
    replicas: pods.length,
    ...(labelled.length > 0 && { fullyLabeledReplicas: labelled.length }),
    ...(ready > 0 && { readyReplicas: ready }),
    ...(available > 0 && { availableReplicas: available }),
    observedGeneration: set.metadata.generation ?? 1,
    ...(conditions.length > 0 && { conditions })
  })
  return again
}

function conditionsOf(set: Workload, failure: unknown, now: string): readonly Condition[] {
  const before = set.status?.conditions
  if (!(failure instanceof StatusError)) return withoutCondition(before, 'ReplicaFailure')
  const reason = 'FailedCreate'
  return withCondition(before, { type: 'ReplicaFailure', status: 'True', reason, message: failure.message }, now)
}
