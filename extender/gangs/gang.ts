import { annotations, plain } from '../../policies/names.ts'
import { parseInteger } from '../../policies/parse.ts'
import type { Pod } from '../../policies/types.ts'
import { gatedByMuster, gatedByOthers, membership } from './dialects.ts'

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

export type Member = { readonly pod: Pod; readonly state: MemberState; readonly node: string | undefined }

/** A gang as its pods show it, fixed at one moment. */
export type Gang = {
  readonly key: string
  readonly namespace: string
  readonly dialect: string
  readonly name: string
  readonly members: readonly Member[]
  /** The quorum; undefined while a gang of undeclared size may still be growing. */
  readonly minMember: number | undefined
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
export function memberState(pod: Pod, node: string | undefined): MemberState {
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

/** Members that count towards the quorum without needing room: on a node, or done. */
export function satisfied(gang: Gang): number {
  return placed(gang) + gang.members.filter(member => member.state === 'succeeded').length
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

/** Makes the gang of these pods, which share one key. `nodeOf` tells the node of bindings under way. */
export function gangOf(
  pods: readonly Pod[],
  minMember: number | undefined,
  nodeOf: (pod: Pod) => string | undefined
): Gang {
  const sorted = pods.toSorted(byAgeAndName)
  const first = sorted[0]
  const declared = first && membership(first)
  if (!first || !declared) throw new TypeError('a gang has at least one member')
  return {
    key: declared.key,
    namespace: declared.namespace,
    dialect: declared.dialect,
    name: declared.name,
    members: sorted.map(pod => {
      const node = nodeOf(pod)
      return { pod, node, state: memberState(pod, node) }
    }),
    minMember,
    problem: problemOf(sorted),
    priority: Math.min(...sorted.map(pod => pod.priority)),
    annotationPriority: Math.min(...sorted.map(annotatedPriority)),
    createdAt: first.createdAt
  }
}

/** 1. Older first. 2. By name, which is unique in a namespace. */
function byAgeAndName(a: Pod, b: Pod): number {
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1)
}

function annotatedPriority(pod: Pod): number {
  const text = pod.annotations.get(annotations.priority) ?? pod.annotations.get(plain.priority)
  return (text === undefined ? undefined : parseInteger(text)) ?? 0
}

/** The first thing that is wrong with the gang's declarations; members that are done or leaving no longer count. */
function problemOf(pods: readonly Pod[]): string | undefined {
  const live = pods.filter(pod => !pod.terminating && pod.phase !== 'Succeeded' && pod.phase !== 'Failed')
  for (const pod of live) {
    const problem = membership(pod)?.problem
    if (problem !== undefined) return `pod ${pod.namespace}/${pod.name}: ${problem}`
  }
  const sizes = new Map(live.map(pod => [membership(pod)?.minMember, pod.name]))
  if (sizes.size <= 1) return undefined
  const said = [...sizes].map(([size, name]) => `${name} says ${size ?? 'nothing'}`).join(', ')
  return `annotation ${annotations.minMember} must be the same on every member: ${said}`
}

/** Where the gang stands. `hold` is what the ledger keeps for it. */
export function gangState(gang: Gang, hold: { readonly firm: boolean } | undefined): GangState {
  if (gang.members.every(({ state }) => state === 'succeeded' || state === 'failed')) return 'finished'
  const done = satisfied(gang)
  // Without a known quorum, a gang that has members to place is still forming.
  const min = gang.minMember ?? (placeable(gang).length > 0 ? Number.POSITIVE_INFINITY : 0)
  if (done >= min) return 'running'
  if (gang.problem !== undefined) return 'refused'
  if (hold) return hold.firm ? 'binding' : 'planned'
  if (placed(gang) > 0) return 'degraded'
  return done + placeable(gang).length < min ? 'forming' : 'waiting'
}
