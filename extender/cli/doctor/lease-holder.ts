import { type Json, object, text } from '../../json.ts'
import type { Operations } from '../../operations.ts'
import { plain } from './note.ts'
import type { Place } from './place.ts'
import type { SchedulerFile } from './scheduler-file.ts'

/** The lease that decides which pair of kube-scheduler and muster is active. */
export type Lease = Place & {
  /** Why it cannot be judged. */
  readonly problem: string | undefined
  /** Undefined where nobody holds it, or held it too long ago. */
  readonly holder: string | undefined
  /** What is wrong with it. */
  readonly fault: string | undefined
}

const usualSeconds = 15

/** Reads that lease; `now` is wall-clock time. */
export async function readLease(operations: Pick<Operations, 'get'>, place: Place, now: number): Promise<Lease> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(place.namespace)}/leases/`
  const { status, body, problem } = await operations.get(path + encodeURIComponent(place.name))
  if (status === 404) return { ...place, problem: undefined, holder: undefined, fault: 'there is no such lease' }
  if (problem !== undefined) return { ...place, problem, holder: undefined, fault: undefined }
  return { ...place, problem: undefined, ...holderOf(object(body.spec), now) }
}

function holderOf(spec: Json, now: number): Pick<Lease, 'holder' | 'fault'> {
  const holder = text(spec.holderIdentity)
  if (holder === undefined) return { holder, fault: 'nobody holds it' }
  const { leaseDurationSeconds: seconds = usualSeconds } = spec
  const ends = Date.parse(text(spec.renewTime) ?? '') + Number(seconds) * 1000
  if (ends >= now) return { holder, fault: undefined }
  const since = Number.isNaN(ends) ? 'an unknown time' : `${Math.round((now - ends) / 1000)} s`
  return { holder: undefined, fault: `${plain(holder)} held it, and it ran out ${since} ago` }
}

/** As kube-scheduler fills it in. */
export function electionOf(scheduler: SchedulerFile | string): Place | undefined {
  if (typeof scheduler === 'string') return undefined
  const election = object(scheduler.root.leaderElection)
  if (election.leaderElect === false || Object.keys(scheduler.root).length === 0) return undefined
  return {
    namespace: text(election.resourceNamespace) ?? 'kube-system',
    name: text(election.resourceName) ?? 'kube-scheduler'
  }
}
