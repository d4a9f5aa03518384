import { isActive, isLeaving, type Pod, referenceTo, uidOf } from '../kinds.ts'
import type { Shared } from './controller.ts'
import { type Job, type JobStatus, trackingFinalizer } from './job-pods.ts'

/** Which of a Job's pods run, and how many are done, those that are gone already included. */
export type Account = {
  readonly active: readonly Pod[]
  readonly succeeded: number
  readonly failed: number
  /** Restarts of containers in place, which count towards the backoff limit. */
  readonly restarts: number
  /** Completed indexes. */
  readonly indexes: ReadonlySet<number>
  /** When pods failed since one last succeeded, in order. */
  readonly recentFailures: readonly number[]
  /** What of it goes into the status. */
  readonly state: Pick<JobStatus, 'succeeded' | 'failed' | 'completedIndexes'>
}

/**
 * Counts each finished pod exactly once: its finalizer says that it has not been counted, and counting and letting go
 * of it happen in one go, as nothing interleaves in process. A crash in between would lose the whole store as well.
 */
export function account(shared: Shared, job: Job): Account {
  const pods = shared.pods.by('owner', uidOf(job))
  const finished = pods.filter(pod => outcomeOf(pod) !== undefined)
  const fresh = finished.filter(pod => pod.metadata.finalizers?.includes(trackingFinalizer) === true)
  const counted = count(job, fresh)
  if (fresh.length > 0) settle(shared, job, counted, fresh)
  const active = pods.filter(isActive)
  return {
    active,
    succeeded: counted.succeeded,
    failed: counted.failed,
    restarts: job.spec.template.spec.restartPolicy === 'OnFailure' ? restartsOf(active) : 0,
    indexes: counted.indexes ?? new Set(),
    recentFailures: recentFailures(finished),
    state: stateOf(counted)
  }
}

/** What was counted before, and the pods that were not. */
function count(job: Job, fresh: readonly Pod[]): Counted {
  const { succeeded = 0, failed = 0, completedIndexes = '' } = job.status ?? {}
  const succeeding = fresh.filter(pod => outcomeOf(pod) === 'Succeeded')
  const total = { failed: failed + fresh.length - succeeding.length }
  if (job.spec.completionMode !== 'Indexed')
    return { ...total, succeeded: succeeded + succeeding.length, indexes: undefined }
  const limit = job.spec.completions ?? Infinity
  const indexes = new Set([
    ...parseIndexes(completedIndexes),
    ...succeeding.map(indexOf).filter(index => index < limit)
  ])
  return { ...total, succeeded: indexes.size, indexes }
}

type Counted = {
  readonly succeeded: number
  readonly failed: number
  readonly indexes: ReadonlySet<number> | undefined
}

const stateOf = ({ succeeded, failed, indexes }: Counted): Account['state'] => ({
  ...(succeeded > 0 && { succeeded }),
  ...(failed > 0 && { failed }),
  ...(indexes !== undefined && indexes.size > 0 && { completedIndexes: formatIndexes(indexes) })
})

/** Writes the new counts first, then lets go of the pods. */
function settle(shared: Shared, job: Job, counted: Counted, pods: readonly Pod[]): void {
  const reference = referenceTo('jobs.batch', job)
  const status = { ...stateOf(counted) }
  shared.client.patch(reference, { status }, { type: 'merge', subresource: 'status' })
  for (const pod of pods) untrack(shared, pod)
}

/** Takes the tracking finalizer off a pod. */
export function untrack(shared: Shared, pod: Pod): void {
  const reference = referenceTo('pods', pod)
  const now = shared.client.get(reference)
  if (now === undefined || now.metadata.uid !== pod.metadata.uid) return
  const finalizers = (now.metadata.finalizers ?? []).filter(finalizer => finalizer !== trackingFinalizer)
  shared.client.patch(reference, { metadata: { finalizers } }, { type: 'merge' })
}

/** A pod that was deleted before it was done has failed once nothing of it runs any more. */
function outcomeOf(pod: Pod): 'Succeeded' | 'Failed' | undefined {
  const phase = pod.status?.phase
  if (phase === 'Succeeded' || phase === 'Failed') return phase
  return isLeaving(pod) && (pod.metadata.deletionGracePeriodSeconds === 0 || pod.spec.nodeName === undefined)
    ? 'Failed'
    : undefined
}

const indexOf = (pod: Pod): number =>
  Number(pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? Infinity)

const restartsOf = (pods: readonly Pod[]): number =>
  pods.flatMap(pod => pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + status.restartCount, 0)

function endOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(state.terminated?.finishedAt ?? ''))
  const known = ends.filter(end => !Number.isNaN(end))
  return known.length > 0 ? Math.max(...known) : Date.parse(pod.metadata.creationTimestamp ?? '') || 0
}

function recentFailures(finished: readonly Pod[]): readonly number[] {
  const succeeded = finished.filter(pod => outcomeOf(pod) === 'Succeeded').map(endOf)
  const since = Math.max(-Infinity, ...succeeded)
  const failed = finished.filter(pod => outcomeOf(pod) === 'Failed').map(endOf)
  return failed.filter(end => end > since).toSorted((one, other) => one - other)
}

/** `0,2-4` as upstream writes completed indexes. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].toSorted((one, other) => one - other)
  const ranges: [number, number][] = []
  for (const index of sorted) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === index - 1) last[1] = index
    else ranges.push([index, index])
  }
  return ranges.map(([from, to]) => rangeText(from, to)).join(',')
}

const rangeText = (from: number, to: number): string =>
  from === to ? String(from) : to === from + 1 ? `${from},${to}` : `${from}-${to}`

/** The indexes that such a text names. */
export function parseIndexes(text: string): readonly number[] {
  if (text === '') return []
  return text.split(',').flatMap(range => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, offset) => from + offset)
  })
}
