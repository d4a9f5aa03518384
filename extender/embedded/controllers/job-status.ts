import { type Condition, isLeaving, isReady, type Pod, referenceTo, timestamp } from '../kinds.ts'
import type { Shared } from './controller.ts'
import type { Account } from './job-account.ts'
import type { Job, JobStatus } from './job-pods.ts'
import { withCondition, withoutCondition, writeStatus } from './status.ts'

/** How a Job ends. */
export type Verdict = {
  readonly type: 'Complete' | 'Failed'
  readonly reason: string
  readonly message: string
}

/** Whether a Job is decided: enough pods succeeded, too many failed, or its time is up. */
export function verdictOn(job: Job, book: Account, now: number): Verdict | undefined {
  const earlier = job.status?.conditions?.find(({ type }) => type === 'FailureTarget' || type === 'SuccessCriteriaMet')
  if (earlier !== undefined) return endOf(earlier)
  if (isComplete(job, book)) return reached
  if (book.failed + book.restarts > (job.spec.backoffLimit ?? 6)) return exceeded
  return isLate(job, now) ? late : undefined
}

const endOf = ({ type, reason = '', message = '' }: Condition): Verdict => ({
  type: type === 'FailureTarget' ? 'Failed' : 'Complete',
  reason,
  message
})

const reached: Verdict = {
  type: 'Complete',
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods'
}
const exceeded: Verdict = {
  type: 'Failed',
  reason: 'BackoffLimitExceeded',
  message: 'Job has reached the specified backoff limit'
}
const late: Verdict = {
  type: 'Failed',
  reason: 'DeadlineExceeded',
  message: 'Job was active longer than specified deadline'
}

function isLate({ spec, status }: Job, now: number): boolean {
  const { activeDeadlineSeconds, suspend } = spec
  if (activeDeadlineSeconds === undefined || suspend === true) return false
  return now >= Date.parse(status?.startTime ?? '') + activeDeadlineSeconds * 1000
}

function isComplete({ spec }: Job, { succeeded, active }: Account): boolean {
  if (spec.completions === undefined) return succeeded > 0 && active.length === 0
  return succeeded >= spec.completions
}

/** What a Job's status should say. */
export function jobStatus(
  job: Job,
  {
    book,
    verdict,
    active,
    pods,
    now
  }: {
    readonly book: Account['state']
    readonly verdict: Verdict | undefined
    readonly active: number
    readonly pods: readonly Pod[]
    readonly now: number
  }
): JobStatus {
  const ready = pods.filter(pod => !isLeaving(pod) && isReady(pod)).length
  const terminating = pods.filter(isLeaving).length
  const stamp = timestamp(now)
  const conditions = suspension(job, verdict === undefined ? [] : [targetOf(verdict)], stamp)
  const startTime = job.spec.suspend === true ? undefined : (job.status?.startTime ?? stamp)
  return {
    ...(startTime !== undefined && { startTime }),
    ...(active > 0 && { active }),
    ready,
    terminating,
    ...book,
    uncountedTerminatedPods: {},
    ...(conditions.length > 0 && { conditions })
  }
}

const targetOf = ({ type, reason, message }: Verdict): Condition => ({
  type: type === 'Failed' ? 'FailureTarget' : 'SuccessCriteriaMet',
  status: 'True',
  reason,
  message
})

function suspension(job: Job, more: readonly Condition[], now: string): readonly Condition[] {
  let conditions = job.status?.conditions ?? []
  const was = conditions.find(condition => condition.type === 'Suspended')
  const suspended: Condition = { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' }
  const resumed: Condition = { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }
  if (job.spec.suspend === true) conditions = withCondition(conditions, suspended, now)
  else if (was !== undefined) conditions = withCondition(conditions, resumed, now)
  for (const condition of more) conditions = withCondition(conditions, condition, now)
  return conditions
}

/** Writes the end of a Job, once none of its pods runs any more. */
export function finish(shared: Shared, job: Job, { type, reason, message }: Verdict): void {
  const now = shared.client.get(referenceTo('jobs.batch', job)) as Job | undefined
  if (now === undefined) return
  const stamp = timestamp(shared.clock.wall())
  const end: Condition = { type, status: 'True', reason, message }
  const conditions = withCondition(withoutCondition(now.status?.conditions, type), end, stamp)
  const { active: _, ...rest } = now.status ?? {}
  const status = { ...rest, conditions, ...(type === 'Complete' && { completionTime: stamp }) }
  writeStatus(shared, 'jobs.batch', now, status)
  const happening =
    type === 'Complete'
      ? ({ type: 'Normal', reason: 'Completed', message: 'Job completed' } as const)
      : ({ type: 'Warning', reason, message } as const)
  shared.events.record(job, happening)
}
