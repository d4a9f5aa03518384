import { annotations, plain } from '../../policies/names.ts'
import { parseInteger } from '../../policies/parse.ts'
import type { Pod } from '../../policies/types.ts'
import { gatedByMuster, gatedByOthers, type Membership, membership } from './dialects.ts'
import type { Settings } from './settings.ts'
import type { Terms } from './terms.ts'

/** Where one member stands. `assumed`: our binding is under way or not yet seen back. */
export type MemberState =
  | 'gated'
  | 'pending'
  | 'nominated'
  | 'assumed'
  | 'bound'
  | 'running'
  | 'terminating'
  | 'succeeded'
  | 'failed'

/** Where a gang stands; the labels of `muster_gangs`. */
export const gangStates = [
  'forming',
  'waiting',
  'planned',
  'binding',
  'running',
  'degraded',
  'refused',
  'finished'
] as const
export type GangState = (typeof gangStates)[number]

export type Member = {
  readonly pod: Pod
  readonly state: MemberState
  readonly node: string | undefined
  /** Its part in a gang with roles. */
  readonly role: string | undefined
  /** It counts towards the quorum without needing room: on a node, or done where the dialect lets that count. */
  readonly counts: boolean
}

/** A gang as its pods show it, fixed at one moment. */
export type Gang = Settings & {
  readonly key: string
  readonly namespace: string
  readonly dialect: string
  readonly name: string
  readonly members: readonly Member[]
  /** The quorum; undefined while a gang of undeclared size may still be growing. */
  readonly minMember: number | undefined
  /** Minimum by role, besides the quorum; empty in a gang without roles. */
  readonly roles: ReadonlyMap<string, number>
  /** Without what the gang cannot be complete, as a sentence; it is forming as long. */
  readonly waitsFor: string | undefined
  /** Why the gang is refused whole: names the annotation and the rule. */
  readonly problem: string | undefined
  /** The members' minimum. */
  readonly priority: number
  /** Orders inside the priority and namespace only. */
  readonly annotationPriority: number
  /** Of the oldest member, in milliseconds since the epoch. */
  readonly createdAt: number
}

/** Where a pod stands, given the node that a binding of ours under way names. */
function memberState(pod: Pod, node: string | undefined): MemberState {
  if (pod.phase === 'Succeeded') return 'succeeded'
  if (pod.phase === 'Failed') return 'failed'
  if (pod.terminating) return 'terminating'
  if (pod.nodeName !== undefined) return pod.phase === 'Running' ? 'running' : 'bound'
  if (node !== undefined) return 'assumed'
  if (pod.gates.length > 0) return 'gated'
  return pod.nominatedNodeName === undefined ? 'pending' : 'nominated'
}

const placedStates: ReadonlySet<MemberState> = new Set(['assumed', 'bound', 'running'])

/** Members that stand on a node and are to stay there. */
export function placed(gang: Gang): number {
  return gang.members.filter(member => placedStates.has(member.state)).length
}

/** How many members count towards the quorum without needing room. */
export function satisfied(gang: Gang): number {
  return gang.members.filter(member => member.counts).length
}

/** Members that a plan may give a node, oldest first, then by name. */
export function placeable(gang: Gang): Pod[] {
  return gang.members
    .filter(({ pod, state }) => state === 'pending' || state === 'nominated' || isOurGate(pod, state))
    .map(member => member.pod)
}

function isOurGate(pod: Pod, state: MemberState): boolean {
  return state === 'gated' && gatedByMuster(pod) && !gatedByOthers(pod)
}

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

/** Makes the gang of these pods, which share one key. `nodeOf` tells the node of bindings under way. */
export function gangOf(
  pods: readonly Pod[],
  terms: Omit<Terms, 'atRest'>,
  nodeOf: (pod: Pod) => string | undefined
): Gang {
  const sorted = pods.toSorted(byAgeAndName)
  const first = sorted[0]
  const declared = first && membership(first)
  if (!first || !declared) throw new TypeError('a gang has at least one member')
  return {
    ...terms,
    key: declared.key,
    namespace: declared.namespace,
    dialect: declared.dialect,
    name: declared.name,
    members: membersOf(sorted, declared.completed, nodeOf),
    priority: Math.min(...sorted.map(pod => pod.priority)),
    annotationPriority: Math.min(...sorted.map(annotatedPriority)),
    createdAt: first.createdAt
  }
}

function membersOf(
  pods: readonly Pod[],
  completed: Membership['completed'],
  nodeOf: (pod: Pod) => string | undefined
): Member[] {
  const members = pods.map(pod => {
    const node = nodeOf(pod)
    return { pod, node, state: memberState(pod, node), role: membership(pod)?.role }
  })
  const running = members.some(({ state }) => placedStates.has(state))
  const live = new Set(members.filter(({ state }) => state !== 'succeeded').map(({ pod }) => pod.controller?.uid))
  const doneCounts = {
    always: () => true,
    // Of this run: pods that an earlier Job of the same name left behind say nothing about the one that starts now.
    sameRun: (pod: Pod) => running || live.size === 0 || (pod.controller !== undefined && live.has(pod.controller.uid)),
    whileRunning: () => running
  }[completed]
  return members.map(member => ({
    ...member,
    counts: placedStates.has(member.state) || (member.state === 'succeeded' && doneCounts(member.pod))
  }))
}

/** 1. Older first. 2. By name, which is unique in a namespace. */
function byAgeAndName(a: Pod, b: Pod): number {
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1)
}

function annotatedPriority(pod: Pod): number {
  const text = pod.annotations.get(annotations.priority) ?? pod.annotations.get(plain.priority)
  return (text === undefined ? undefined : parseInteger(text)) ?? 0
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
