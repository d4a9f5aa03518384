import { type Condition, conditionOf, timestamp, type Workload } from '../kinds.ts'
import type { Shared } from './controller.ts'
import { limitsOf } from './rollout.ts'
import { withCondition, writeStatus } from './status.ts'

type Sets = { readonly newest: Workload | undefined; readonly all: readonly Workload[] }
type Counts = {
  readonly replicas: number
  readonly updated: number
  readonly ready: number
  readonly available: number
}

const numberOf = (set: Workload | undefined, field: string): number => Number(set?.status?.[field] ?? 0)
const total = (sets: readonly Workload[], field: string): number =>
  sets.reduce((sum, set) => sum + numberOf(set, field), 0)

/** Writes a Deployment's status; answers after how long to look again, for the deadline of its progress. */
export function tellDeployment(shared: Shared, deployment: Workload, { newest, all }: Sets): number | undefined {
  const counts: Counts = {
    replicas: total(all, 'replicas'),
    updated: numberOf(newest, 'replicas'),
    ready: total(all, 'readyReplicas'),
    available: total(all, 'availableReplicas')
  }
  const now = shared.clock.wall()
  const { conditions, again } = conditionsOf(deployment, newest, counts, now)
  const unavailable = Math.max(0, Math.max(counts.replicas, deployment.spec.replicas ?? 1) - counts.available)
  const { collisionCount } = deployment.status ?? {}
  writeStatus(shared, 'deployments.apps', deployment, {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...(collisionCount !== undefined && { collisionCount }),
    ...(counts.replicas > 0 && { replicas: counts.replicas }),
    ...(counts.updated > 0 && { updatedReplicas: counts.updated }),
    ...(counts.ready > 0 && { readyReplicas: counts.ready }),
    ...(counts.available > 0 && { availableReplicas: counts.available }),
    ...(unavailable > 0 && { unavailableReplicas: unavailable }),
    conditions
  })
  return again
}

function conditionsOf(
  deployment: Workload,
  newest: Workload | undefined,
  counts: Counts,
  now: number
): { readonly conditions: readonly Condition[]; readonly again: number | undefined } {
  const enough = counts.available >= (deployment.spec.replicas ?? 1) - limitsOf(deployment).maxUnavailable
  const available: Condition = {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${enough ? 'has' : 'does not have'} minimum availability.`
  }
  const stamp = timestamp(now)
  const conditions = set(deployment.status?.conditions, available, stamp)
  const { progressing, again } = progress(deployment, newest, counts, now)
  return { conditions: progressing === undefined ? conditions : set(conditions, progressing, stamp), again }
}

/** A condition whose reason changed was also updated; one that says the same stays as it is. */
function set(all: readonly Condition[] | undefined, next: Condition, now: string): readonly Condition[] {
  const before = all?.find(condition => condition.type === next.type)
  const { lastUpdateTime = now } = next
  if (before?.status === next.status && before.reason === next.reason && next.lastUpdateTime === undefined)
    return all ?? []
  return withCondition(all, { ...next, lastUpdateTime }, now)
}

type Progress = { readonly progressing: Condition | undefined; readonly again: number | undefined }

function progress(deployment: Workload, newest: Workload | undefined, counts: Counts, now: number): Progress {
  const before = conditionOf(deployment, 'Progressing')
  const name = newest?.metadata.name ?? ''
  if (deployment.spec['paused'] === true) return { progressing: paused(before), again: undefined }
  if (isComplete(deployment, counts)) {
    const message = `ReplicaSet "${name}" has successfully progressed.`
    return {
      progressing: { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message },
      again: undefined
    }
  }
  if (before === undefined) return step('NewReplicaSetCreated', `Created new replica set "${name}"`, deployment, now)
  if (before.reason === 'NewReplicaSetAvailable' || moved(deployment, counts))
    return step('ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`, deployment, now)
  return late(deployment, before, name, now)
}

/** The rollout went on: its deadline counts from now. */
function step(reason: string, message: string, deployment: Workload, now: number): Progress {
  const lastUpdateTime = timestamp(now)
  const progressing: Condition = { type: 'Progressing', status: 'True', reason, message, lastUpdateTime }
  return { progressing, again: deadlineOf(deployment) }
}

function paused(before: Condition | undefined): Condition | undefined {
  if (before?.reason === 'DeploymentPaused') return undefined
  return { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }
}

/** Progress is counted from the last step; past the deadline the rollout counts as stuck. */
function late(deployment: Workload, before: Condition, name: string, now: number): Progress {
  const left = Date.parse(before.lastUpdateTime ?? '') + deadlineOf(deployment) - now
  if (before.reason === 'ProgressDeadlineExceeded') return { progressing: undefined, again: undefined }
  if (left > 0) return { progressing: undefined, again: left }
  const message = `ReplicaSet "${name}" has timed out progressing.`
  return {
    progressing: { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message },
    again: undefined
  }
}

const deadlineOf = (deployment: Workload): number => Number(deployment.spec['progressDeadlineSeconds'] ?? 600) * 1000

function isComplete(deployment: Workload, { replicas, updated, available }: Counts): boolean {
  const wanted = deployment.spec.replicas ?? 1
  return updated === wanted && replicas === wanted && available === wanted
}

function moved({ status, metadata }: Workload, { updated, ready, available }: Counts): boolean {
  if (status?.['observedGeneration'] !== metadata.generation) return true
  const before = (field: string): number => Number(status?.[field] ?? 0)
  return (
    updated > before('updatedReplicas') || ready > before('readyReplicas') || available > before('availableReplicas')
  )
}
