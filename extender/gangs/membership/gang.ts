import type { Profile } from '../../../policies/framework.ts'
import { endingMark } from '../../../policies/names.ts'
import { parseInteger } from '../../../policies/parse.ts'
import { lowest, priorityText, type Rank } from '../../../policies/ranks.ts'
import type { Pod } from '../../../policies/types.ts'
import { quoted } from './dialects/fields.ts'
import { gatedByMuster, gatedByOthers, type Membership } from './dialects.ts'
import { lettingGo, unasked } from './letting-go.ts'
import type { Profiles } from './profiles.ts'
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
  readonly profile: Profile
  /** `spec.priority`, the members' minimum. */
  readonly priority: number
  /** Whose room it may take. */
  readonly rank: Rank
  /** Orders inside the priority and namespace only. */
  readonly annotationPriority: number
  /** What is wrong with a member's annotation of priority, which then counts as 0. */
  readonly misread: string | undefined
  /** It is being ended whole: a member on a node bears the mark. */
  readonly ending: boolean
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

const endStates: ReadonlySet<MemberState> = new Set(['terminating', 'succeeded', 'failed'])
const placedStates: ReadonlySet<MemberState> = new Set(['assumed', 'bound', 'running'])

/** The priority that decides whom it may evict in its namespace, as people are told it. */
export const ownPriority = ({ profile, priority, rank }: Gang): number => (profile.byAnnotation ? rank.own : priority)

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

/** Of a gang that is being ended whole: the members on nodes that bear the mark, and the others that are still to go. */
export function endingMembers(gang: Gang): { readonly marked: readonly Pod[]; readonly others: readonly Pod[] } {
  const pods = gang.members.filter(({ state }) => state === 'bound' || state === 'running').map(({ pod }) => pod)
  return { marked: pods.filter(isMarked), others: pods.filter(pod => !isMarked(pod)) }
}

const isMarked = (pod: Pod): boolean => pod.annotations.has(endingMark)

/** What turns pods into members. */
export type Lookup = {
  readonly profiles: Profiles
  /** Also of bindings under way. */
  readonly nodeOf: (pod: Pod) => string | undefined
}

/** Makes the gang of these pods, which share one key. */
export function gangOf(
  pods: readonly Pod[],
  terms: Omit<Terms, 'atRest' | 'isFollowed'>,
  { profiles, nodeOf }: Lookup
): Gang {
  const sorted = pods.toSorted(byAgeAndName)
  const first = sorted[0]
  const profile = first && profiles.of(first)
  const declared = first && profiles.membership(first)
  if (!first || !declared || !profile) throw new TypeError('a gang has at least one member')
  const members = membersOf(sorted, declared.completed, { profiles, nodeOf })
  const waiting = members.filter(({ node, state }) => node === undefined && !endStates.has(state)).map(({ pod }) => pod)
  const letting = lettingGo(terms, waiting, profiles)
  return {
    ...terms,
    ...letting,
    key: declared.key,
    namespace: declared.namespace,
    dialect: declared.dialect,
    name: shownName(declared.name),
    members,
    problem: terms.problem ?? mixture(members, profiles) ?? unasked(letting, waiting, profiles),
    profile,
    priority: Math.min(...sorted.map(pod => pod.priority)),
    rank: lowest(sorted.map(profiles.rank)),
    annotationPriority: Math.min(...sorted.map(annotatedPriority)),
    misread: misread(sorted),
    ending: members.some(({ pod, state }) => (state === 'bound' || state === 'running') && isMarked(pod)),
    createdAt: first.createdAt
  }
}

/** Members that are planned by different rules have no plan in common. */
function mixture(members: readonly Member[], profiles: Profiles): string | undefined {
  const live = members.filter(({ state }) => !endStates.has(state))
  const parties = [...Map.groupBy(live, ({ pod }) => profiles.of(pod)?.name).values()]
  if (parties.length <= 1) return undefined
  const said = parties.flatMap(([first]) => first ?? []).map(({ pod }) => `${pod.name} says ${pod.schedulerName}`)
  return `schedulerName must lead to one profile for every member: ${said.join(', ')}`
}

function membersOf(pods: readonly Pod[], completed: Membership['completed'], { profiles, nodeOf }: Lookup): Member[] {
  const members = pods.map(pod => {
    const node = nodeOf(pod)
    return { pod, node, state: memberState(pod, node), role: profiles.membership(pod)?.role }
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
  return parseInteger(priorityText(pod) ?? '') ?? 0
}

function misread(pods: readonly Pod[]): string | undefined {
  for (const pod of pods) {
    const text = priorityText(pod)
    if (text !== undefined && parseInteger(text) === undefined)
      return `the annotation priority of ${pod.name} must be an integer, such as 100; ${quoted(text)} counts as 0`
  }
  return undefined
}

/** A name that no object may bear is said like any text of its tenant: on one line, and cut. */
function shownName(name: string): string {
  return name.length > 253 || /[^\w./-]/.test(name) ? JSON.stringify(name.slice(0, 80)) : name
}
