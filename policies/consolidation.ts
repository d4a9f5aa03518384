import type { Body, Budget } from './bodies.ts'
import { type Profile, runFilters } from './framework.ts'
import type { PlanRequest } from './plan.ts'
import { plan } from './planner.ts'
import { type NodeInfo, Snapshot } from './snapshot.ts'
import { nameOf } from './text.ts'
import type { Claim, Pod } from './types.ts'
import { type Victim, victims } from './victims.ts'

/** Pods that may be moved to make room in one piece. */
export type ConsolidationRequest = PlanRequest & {
  /** Single pods; each is given back by its controller once it is evicted. */
  readonly movable: readonly Body[]
  readonly budgets: readonly Budget[]
  /** By which rules such a pod finds a node. */
  readonly profileOf: (pod: Pod) => Profile | undefined
}

/** The room as it is, and as it will be once those have left who leave anyway. */
export type Rooms = { readonly now: Snapshot; readonly later: Snapshot }

/** A pod that stands in the way, and the node that has room for it already. */
export type Move = { readonly pod: Pod; readonly to: string }

/** Every member's node, by pod uid, free once the moved pods have left. */
export type Consolidation = { readonly nodes: ReadonlyMap<string, string>; readonly moves: readonly Move[] }

/** Sets of pods that are looked at before the search gives up. */
const mostTries = 4

/**
 * Which pods to move so that the members fit: there is room enough, but in pieces. Each of them fits where it is to go
 * now, before anybody has left, beside the members and the other moved pods; none of them can be spared, and no
 * disruption budget is exceeded. Undefined where no such set was found: a bounded search, which may miss one. The same
 * question gives the same answer; never changes its arguments.
 */
export function consolidation(
  rooms: Rooms,
  request: ConsolidationRequest,
  profile: Profile
): Consolidation | undefined {
  let bodies = withTarget(rooms.now, request)
  for (let tries = 0; tries < mostTries && bodies.length > 0; tries++) {
    const found = victims(rooms.later, { ...request, bodies }, profile)
    if (found.outcome !== 'evict' || found.victims.length === 0) return undefined
    const settled = settle(rooms, request, { profile, nodes: found.nodes, leaving: found.victims })
    if ('moves' in settled) return settled
    bodies = bodies.filter(({ key }) => key !== settled.stuck)
  }
  return undefined
}

/** Whether as much as the members need is free at all: else no move helps, and none need be looked for. */
export function isInPieces({ nodes }: Snapshot, { pods, need }: PlanRequest): boolean {
  const wanted = new Map<string, number>()
  for (const name of new Set(pods.flatMap(pod => [...pod.shape.requests.keys()]))) {
    const amounts = pods.map(pod => pod.shape.requests.get(name) ?? 0).toSorted((a, b) => a - b)
    wanted.set(
      name,
      amounts.slice(0, need).reduce((sum, amount) => sum + amount, 0)
    )
  }
  for (const info of nodes)
    for (const [name, amount] of wanted) wanted.set(name, amount - Math.max(0, freeOf(info, name)))
  return [...wanted.values()].every(amount => amount <= 0)
}

function freeOf({ node, used }: NodeInfo, name: string): number {
  return (node.allocatable.get(name) ?? 0) - (used.get(name) ?? 0)
}

/** Those for which some other node has room now. */
function withTarget(now: Snapshot, { movable, profileOf }: ConsolidationRequest): readonly Body[] {
  const open = now.nodes.filter(isOpen)
  /** By profile and shape: two nodes that take it, since one may be its own. */
  const takers = new Map<string, readonly NodeInfo[]>()
  return movable.filter(({ pods: [pod] }) => {
    const profile = pod && profileOf(pod)
    if (!profile) return false
    const key = `${profile.name} ${pod.shape.key}`
    const known = takers.get(key) ?? firstTwo(open, info => runFilters(profile.filters, pod.shape, info) === undefined)
    takers.set(key, known)
    return known.some(({ node }) => node.name !== pod.nodeName)
  })
}

function firstTwo(infos: readonly NodeInfo[], takes: (info: NodeInfo) => boolean): readonly NodeInfo[] {
  const found: NodeInfo[] = []
  for (const info of infos) {
    if (found.length === 2) break
    if (takes(info)) found.push(info)
  }
  return found
}

/** Nobody stands there who keeps others off by rules that are left to kube-scheduler. */
const isOpen = ({ pods }: NodeInfo): boolean => !pods.some(pod => pod.repels)

type Leaving = {
  readonly profile: Profile
  /** Of the members. */
  readonly nodes: ReadonlyMap<string, string>
  readonly leaving: readonly Victim[]
}

/**
 * Places those who leave: beside the members where these are planned, or first and the members around them. `stuck` is
 * the body of one that finds no room either way.
 */
function settle(
  { now, later }: Rooms,
  request: ConsolidationRequest,
  { profile, nodes, leaving }: Leaving
): Consolidation | { readonly stuck: string } {
  const pods = leaving.map(victim => victim.pod)
  const left = new Set(pods.map(pod => pod.nodeName))
  const targets = new Snapshot(
    now.nodes.filter(info => isOpen(info) && !left.has(info.node.name)),
    true
  )
  const members = claimsOf(request.pods, nodes)
  const beside = place(targets.with(members), pods, request)
  if ('moves' in beside) return { nodes, moves: beside.moves }
  const first = place(targets, pods, request)
  const gone = leaving.map(({ pod }): Claim => ({ node: pod.nodeName ?? '', pod }))
  const around =
    'moves' in first &&
    plan(later.without(gone).with(first.moves.map(({ pod, to }) => ({ node: to, pod }))), request, profile)
  if (around && around.outcome === 'planned' && 'moves' in first) return { nodes: around.nodes, moves: first.moves }
  const stuck = 'stuck' in first ? first.stuck : beside.stuck
  return { stuck: leaving.find(({ pod }) => pod.uid === stuck)?.body ?? '' }
}

/** A node for each of these pods, by the rules of its own profile; or the uid of one that finds none. */
function place(
  targets: Snapshot,
  pods: readonly Pod[],
  { profileOf, refused }: ConsolidationRequest
): { readonly moves: readonly Move[] } | { readonly stuck: string } {
  let room = targets
  const moves: Move[] = []
  for (const [profile, own] of Map.groupBy(pods, profileOf)) {
    if (!profile) return { stuck: own[0]?.uid ?? '' }
    const found = plan(room, { pods: own, need: own.length, refused }, profile)
    if (found.outcome !== 'planned') return { stuck: stuckOf(own, found.blocked.pod) }
    const claims = claimsOf(own, found.nodes)
    room = room.with(claims)
    moves.push(...claims.map(({ node, pod }) => ({ pod, to: node })))
  }
  return { moves }
}

function stuckOf(pods: readonly Pod[], name: string): string {
  return (pods.find(pod => nameOf(pod) === name) ?? pods[0])?.uid ?? ''
}

function claimsOf(pods: readonly Pod[], nodes: ReadonlyMap<string, string>): Claim[] {
  return pods.flatMap(pod => {
    const node = nodes.get(pod.uid)
    return node === undefined ? [] : [{ node, pod }]
  })
}
