import type { Explanation } from '../../../policies/plan.ts'
import { someFor } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import { placeable, satisfied, type Gang, type GangState } from '../membership/gang.ts'
import { missing } from '../membership/quorum.ts'

/** What is known about why a gang is not placed. */
export type Known = {
  readonly state: GangState
  readonly explanation: Explanation | undefined
  /** The last write for a member that the API server refused. */
  readonly hindrance: string | undefined
  /** Who has to leave before the gang starts. */
  readonly leavers: readonly Pod[]
}

type Reason = (gang: Gang, known: Known) => string | undefined

const waiting: Reason = (gang, { explanation, hindrance }) => explanation?.message ?? hindrance ?? formingReason(gang)
const begun: Reason = ({ namespace }, { hindrance, leavers }) => hindrance ?? leaving(namespace, leavers)

const reasons: Readonly<Record<GangState, Reason>> = {
  refused: gang => gang.problem,
  forming: gang => formingReason(gang),
  waiting,
  degraded: (gang, known) => known.hindrance ?? waiting(gang, known),
  planned: begun,
  binding: begun,
  running: (gang, { explanation }) =>
    placeable(gang).length > 0 && explanation ? `surplus members wait: ${explanation.message}` : undefined,
  finished: () => undefined
}

/** Why the gang is not placed, in one sentence; undefined while nothing is in its way. */
export function reasonFor(gang: Gang, known: Known): string | undefined {
  return reasons[known.state](gang, known)
}

function leaving(namespace: string, pods: readonly Pod[]): string | undefined {
  if (pods.length === 0) return undefined
  return `its room is held; it waits until ${pods.length} pods have left: ${someFor(namespace, pods)}`
}

function formingReason(gang: Gang): string {
  if (gang.waitsFor !== undefined) return gang.waitsFor
  const here = satisfied(gang) + placeable(gang).length
  if (gang.minMember === undefined) return `${here} members exist; the gang declares no size and is still settling`
  const gated =
    gang.members.filter(({ state }) => state === 'gated').length -
    placeable(gang).filter(pod => pod.gates.length > 0).length
  const also = gated > 0 ? `, ${gated} more are gated by others` : ''
  const short = missing(gang, new Set(placeable(gang).map(pod => pod.uid))).find(({ role }) => role !== undefined)
  if (short) return `${short.have} of ${short.min} members of role ${short.role} exist${also}`
  return `${here} of ${gang.minMember} members exist${also}`
}
