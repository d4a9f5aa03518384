import type { Pod } from '../../../policies/types.ts'
import { type Gang, type GangState, placeable, placed } from './gang.ts'

/** Uids of pods, as sets and maps keyed by uid have them. */
type Uids = { readonly has: (uid: string) => boolean }
const nobody: Uids = { has: () => false }

/**
 * Whether the quorum is there, each role's minimum included, once the members with these uids stand on a node too. A
 * gang whose quorum is not known is whole only where it has nobody left to place.
 */
export function isWhole(gang: Gang, also: Uids = nobody): boolean {
  if (gang.minMember === undefined) return also === nobody && placeable(gang).length === 0
  return missing(gang, also).length === 0
}

/** Some of it runs, and not enough. */
export function isDegraded(gang: Gang): boolean {
  return placed(gang) > 0 && gang.minMember !== undefined && !isWhole(gang)
}

/** Whether the gang still has its quorum, or nobody at all on a node, once the members with these uids are gone. */
export function survives(gang: Gang, gone: Uids): boolean {
  const members = gang.members.filter(({ pod }) => !gone.has(pod.uid))
  const left = { ...gang, members }
  return placed(left) === 0 || gang.minMember === undefined || isWhole(left)
}

/** What is short: members of a role, or (role undefined) members at all. */
export type Shortage = { readonly role: string | undefined; readonly have: number; readonly min: number }

/** What the quorum lacks, with the members of these uids counted in; roles first. */
export function missing(gang: Gang, also: Uids = nobody): Shortage[] {
  const there = gang.members.filter(({ pod, counts }) => counts || also.has(pod.uid))
  const roles = [...gang.roles].map(([role, min]) => ({
    ...{ role, min },
    have: there.filter(member => member.role === role).length
  }))
  const all = { role: undefined, have: there.length, min: gang.minMember ?? 0 }
  return [...roles, all].filter(({ have, min }) => have < min)
}

/** The members without a node or claim, oldest first: those that the quorum needs, and all others. */
export type CallUp = {
  readonly needed: readonly Pod[]
  readonly surplus: readonly Pod[]
  /** False where too few members exist. */
  readonly enough: boolean
}

/** Whom the quorum needs besides those that have a claim: of each role that is short its oldest, then the oldest. */
export function callUp(gang: Gang, claimed: Uids = nobody): CallUp {
  const open = placeable(gang).filter(pod => !claimed.has(pod.uid))
  const roleOf = new Map(gang.members.map(({ pod, role }) => [pod.uid, role]))
  const chosen = new Set<Pod>()
  const choose = (from: readonly Pod[], count: number): void => {
    for (const pod of from.slice(0, Math.max(0, count))) chosen.add(pod)
  }
  for (const { role, have, min } of missing(gang, claimed)) {
    if (role !== undefined)
      choose(
        open.filter(pod => roleOf.get(pod.uid) === role),
        min - have
      )
    else
      choose(
        open.filter(pod => !chosen.has(pod)),
        min - have - chosen.size
      )
  }
  const called = new Set([...chosen].map(pod => pod.uid))
  return {
    needed: open.filter(pod => chosen.has(pod)),
    surplus: open.filter(pod => !chosen.has(pod)),
    enough: isWhole(gang, { has: uid => claimed.has(uid) || called.has(uid) })
  }
}

/** Where the gang stands. `hold` is what the ledger keeps for it. */
export function gangState(gang: Gang, hold: { readonly firm: boolean } | undefined): GangState {
  if (gang.members.every(({ state }) => state === 'succeeded' || state === 'failed')) return 'finished'
  if (isWhole(gang)) return 'running'
  if (gang.problem !== undefined) return 'refused'
  if (hold) return hold.firm ? 'binding' : 'planned'
  if (placed(gang) > 0) return 'degraded'
  return isWhole(gang, uidsOf(placeable(gang))) ? 'waiting' : 'forming'
}

const uidsOf = (pods: readonly Pod[]): ReadonlySet<string> => new Set(pods.map(pod => pod.uid))
