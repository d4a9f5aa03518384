import { type Claim, deadlineOf, type Ended, type EndReason, type Failure } from './claim.ts'
import { absenceOf, type PodFacts } from './pod-facts.ts'
import type { Settings } from './ports.ts'

/** What is to be done about a sandbox now; `until`: when to look again where nothing happens before. */
export type Decision =
  | { readonly what: 'wait'; readonly until: number }
  /** It has no pod: whoever claimed it did not come to that. */
  | { readonly what: 'launch' }
  /** It has more pods than its own: two were at it, or one that died. */
  | { readonly what: 'tidy'; readonly strays: readonly PodFacts[] }
  | { readonly what: 'end'; readonly ended: Ended }
  /** It has ended; what is left of it goes. */
  | { readonly what: 'finish' }

export type View = {
  readonly claim: Claim
  /** As it is now, or undefined where there is none. */
  readonly pod: PodFacts | undefined
  /** As it was last seen. */
  readonly last: PodFacts | undefined
  /** Pods that were made for it beside its own. */
  readonly strays: readonly PodFacts[]
  /** Whether pods are listed, so that one that is not known is not there. */
  readonly listed: boolean
  /** Whether this process ended it, and so is the one to clear up. */
  readonly mine: boolean
  readonly now: number
}

/** Who claims a sandbox makes its pod; after so long it counts as dead, and anybody does. */
const launchGraceMs = 2_000
/** Who ended a sandbox clears up; after so long anybody does. */
const finishGraceMs = 5_000

/** Level-triggered: from what is there alone, whatever led to it. */
export function decide(view: View, settings: Pick<Settings, 'startTimeoutMs'>): Decision {
  const { claim } = view
  if (claim.ended) return finishing(claim.ended, view)
  return leavingOf(view) ?? expiry(view) ?? untidy(view) ?? ofPod(view, settings)
}

function untidy({ claim, strays }: View): Decision | undefined {
  return claim.pod && strays.length > 0 ? { what: 'tidy', strays } : undefined
}

function finishing(ended: Ended, { mine, now }: View): Decision {
  const until = ended.at + finishGraceMs
  return mine || now >= until ? { what: 'finish' } : { what: 'wait', until }
}

/** Somebody else deletes the claim itself. */
function leavingOf(view: View): Decision | undefined {
  if (!view.claim.leaving) return undefined
  return failed(view, { code: 'DELETED_EXTERNALLY', message: 'its Service was deleted, and not by us' })
}

/** At its deadline a sandbox is over, and not one moment after it. */
function expiry(view: View): Decision | undefined {
  const { claim, pod, now } = view
  const isOver = now >= deadlineOf(claim) || now >= idleDeadline(claim, pod) || pod?.pastDeadline
  return isOver ? { what: 'end', ended: endedOf('EXPIRED', view) } : undefined
}

/** A sandbox idles from its last use on, and not before it could be used. */
export function idleDeadline({ spec, usedAt }: Claim, pod: PodFacts | undefined): number {
  if (spec.idleTimeoutMs === 0 || pod?.readyAt === undefined) return Number.POSITIVE_INFINITY
  return Math.max(usedAt, pod.readyAt) + spec.idleTimeoutMs
}

function ofPod(view: View, { startTimeoutMs }: Pick<Settings, 'startTimeoutMs'>): Decision {
  const { claim, pod, listed, last } = view
  const next = Math.min(deadlineOf(claim), idleDeadline(claim, pod))
  const late = claim.createdAt + startTimeoutMs
  if (claim.pod === undefined) return launching(view, { next, late })
  if (pod?.failure) return failed(view, pod.failure)
  if (pod === undefined && listed) return failed(view, absenceOf(last, claim.pod.name))
  if (pod === undefined || pod.readyAt !== undefined) return { what: 'wait', until: next }
  return starting(view, { next, late })
}

type Times = { readonly next: number; readonly late: number }

/** What has no pod gets one, for as long as it might still start in time. */
function launching(view: View, { next, late }: Times): Decision {
  const { claim, now, listed } = view
  const from = claim.createdAt + launchGraceMs
  if (now >= late)
    return failed(view, { code: 'START_TIMEOUT', message: `no pod was made for it ${within(claim, late)}` })
  if (now < from) return { what: 'wait', until: Math.min(next, from) }
  // Once the pods are listed one looks again: only then it is known that it has none.
  return listed ? { what: 'launch' } : { what: 'wait', until: Math.min(next, late) }
}

const within = ({ createdAt }: Claim, late: number): string => `within ${(late - createdAt) / 1000} s`

/** What was ready once may be unready for a while: it has started. */
function starting(view: View, { next, late }: Times): Decision {
  const { last, pod, claim, now } = view
  if (last?.readyAt !== undefined) return { what: 'wait', until: next }
  if (now < late) return { what: 'wait', until: Math.min(next, late) }
  const message = `it was not ready ${within(claim, late)}`
  return failed(view, pod?.obstacle ?? { code: 'START_TIMEOUT', message })
}

const failed = (view: View, failure: Failure): Decision => ({ what: 'end', ended: endedOf('FAILED', view, failure) })

/** How it ends now, with what is known of its pod. */
export function endedOf(
  reason: EndReason,
  { pod, last, now }: Pick<View, 'pod' | 'last' | 'now'>,
  failure?: Failure
): Ended {
  const { node, ip: podIp } = pod ?? last ?? {}
  const readyAt = pod?.readyAt ?? last?.readyAt
  return {
    ...{ reason, at: now },
    ...(failure && { failure }),
    ...(readyAt !== undefined && { readyAt }),
    ...(node && { node }),
    ...(podIp && { podIp })
  }
}
