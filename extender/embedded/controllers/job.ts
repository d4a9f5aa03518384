import { conditionOf, controllerOf, isFinished, isLeaving, keyOf, type Pod, referenceTo, uidOf } from '../kinds.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { account, type Account, untrack } from './job-account.ts'
import { type Job, jobLabels, podOf, trackingFinalizer } from './job-pods.ts'
import { finish, jobStatus, type Verdict, verdictOn } from './job-status.ts'
import { byDeletion, deletePod } from './pods.ts'
import { writeStatus } from './status.ts'

const resource = 'jobs.batch'
const longestBackoff = 600_000

/** Runs the pods of a Job until enough of them have succeeded or too many have failed. */
export function openJobs(shared: Shared, looks: Looks): Controller {
  const jobs = shared.informer<Job>(resource)
  jobs.onChange(change => bothOf(change).forEach(job => looks.add(keyOf(job))))
  shared.pods.onChange(change => {
    for (const pod of bothOf(change)) {
      const owner = controllerOf(pod)
      if (owner?.kind === 'Job') looks.add(`${pod.metadata.namespace ?? 'default'}/${owner.name}`)
      else if (owner === undefined && hasTracking(pod)) untrack(shared, pod)
    }
  })
  return {
    name: 'job',
    keys: () => jobs.keys(),
    reconcile(key) {
      const job = jobs.get(key)
      if (job === undefined || isLeaving(job)) return letGo(shared, key, job)
      const again = look(shared, job)
      if (again !== undefined) looks.addAfter(key, again)
    }
  }
}

const hasTracking = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true

/** Pods of a Job that is going or gone need not be counted any more. */
function letGo(shared: Shared, key: string, job: Job | undefined): void {
  const [namespace = '', name] = key.split('/')
  const orphans = shared.pods.by('namespace', namespace).filter(pod => {
    const owner = controllerOf(pod)
    if (!hasTracking(pod) || owner?.kind !== 'Job' || owner.name !== name) return false
    return job === undefined || owner.uid === uidOf(job)
  })
  for (const pod of orphans) untrack(shared, pod)
}

function look(shared: Shared, job: Job): number | undefined {
  const done = (['Complete', 'Failed'] as const).find(type => conditionOf(job, type)?.status === 'True')
  if (done !== undefined) return afterwards(shared, job)
  const now = shared.clock.wall()
  const book = account(shared, job)
  const verdict = verdictOn(job, book, now)
  const active =
    verdict === undefined && job.spec.suspend !== true ? converge(shared, job, book) : stopAll(shared, book)
  const pods = shared.pods.by('owner', uidOf(job)).filter(pod => !isFinished(pod))
  const status = jobStatus(job, { book: book.state, verdict, active: active.pods, pods, now })
  writeStatus(shared, resource, job, status)
  if (verdict !== undefined && pods.length === 0) finish(shared, job, verdict)
  return soonest(active.again, deadlineOf(job, now, verdict))
}

const soonest = (...times: readonly (number | undefined)[]): number | undefined => {
  const known = times.filter(time => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function deadlineOf(job: Job, now: number, verdict: Verdict | undefined): number | undefined {
  const { activeDeadlineSeconds } = job.spec
  if (activeDeadlineSeconds === undefined || verdict !== undefined || job.spec.suspend === true) return undefined
  const started = Date.parse(job.status?.startTime ?? '') || now
  return Math.max(1, started + activeDeadlineSeconds * 1000 - now)
}

/** A finished Job lets go of its last pods, and goes itself when its time to live has passed. */
function afterwards(shared: Shared, job: Job): number | undefined {
  for (const pod of shared.pods.by('owner', uidOf(job))) if (hasTracking(pod)) untrack(shared, pod)
  const { ttlSecondsAfterFinished } = job.spec
  if (ttlSecondsAfterFinished === undefined) return undefined
  const ended = Math.max(
    ...(job.status?.conditions ?? [])
      .filter(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
      .map(({ lastTransitionTime }) => Date.parse(lastTransitionTime ?? ''))
  )
  const left = ended + ttlSecondsAfterFinished * 1000 - shared.clock.wall()
  if (left > 0) return left
  const preconditions = { uid: uidOf(job) }
  shared.client.delete(referenceTo(resource, job), { propagationPolicy: 'Foreground', preconditions })
  return undefined
}

type Running = { readonly pods: number; readonly again: number | undefined }

function stopAll(shared: Shared, { active }: Account): Running {
  for (const pod of active) deletePod(shared, pod)
  return { pods: 0, again: undefined }
}

/** Creates and deletes pods so that as many run as may and need to. */
function converge(shared: Shared, job: Job, book: Account): Running {
  const wanted = wantedOf(job, book)
  const surplus = book.active.length - wanted
  if (surplus > 0) {
    for (const pod of byDeletion(book.active).slice(0, surplus)) deletePod(shared, pod)
    return { pods: wanted, again: undefined }
  }
  if (surplus === 0) return { pods: wanted, again: undefined }
  const pause = backoffOf(shared, book)
  if (pause > 0) return { pods: book.active.length, again: pause }
  const labels = jobLabels(job)
  const indexes = job.spec.completionMode === 'Indexed' ? freeIndexes(job, book, -surplus) : undefined
  const count = indexes?.length ?? -surplus
  for (let each = 0; each < count; each++) shared.client.create('pods', podOf(job, labels, indexes?.[each]))
  return { pods: book.active.length + count, again: undefined }
}

function wantedOf(job: Job, book: Account): number {
  const { completions, parallelism = 1 } = job.spec
  if (completions === undefined) return book.succeeded > 0 ? Math.min(book.active.length, parallelism) : parallelism
  return Math.max(0, Math.min(parallelism, completions - book.succeeded))
}

/** The lowest indexes that have neither succeeded nor a pod that runs. */
function freeIndexes(job: Job, book: Account, count: number): readonly number[] {
  const taken = new Set([...book.indexes, ...book.active.map(indexOf)])
  const free: number[] = []
  for (let index = 0; index < (job.spec.completions ?? 0) && free.length < count; index++)
    if (!taken.has(index)) free.push(index)
  return free
}

const indexOf = (pod: Pod): number =>
  Number(pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? -1)

/** How long a failed pod is not replaced yet: longer with each failure since the last success. */
function backoffOf(shared: Shared, { recentFailures }: Account): number {
  const last = recentFailures.at(-1)
  if (last === undefined) return 0
  const pause = Math.min(longestBackoff, shared.timing.jobBackoffMs * 2 ** Math.min(30, recentFailures.length - 1))
  return Math.max(0, last + pause - shared.clock.wall())
}
