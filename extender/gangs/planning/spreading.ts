import type { PlanRequest } from '../../../policies/plan.ts'
import { type NodeInfo, Snapshot } from '../../../policies/snapshot.ts'
import type { Pod, Resources } from '../../../policies/types.ts'

/** A resource of which every member takes one; its name is what an explanation says is missing. */
const share = 'room apart from other members'

/** Of the shape that also takes a share. */
const keyOf = (key: string): string => `${key} apart`

/** How many members per node are tried, one after the other: evenly first. */
export function shares(most: number, members: number): number[] {
  const last = Math.min(most, members)
  const tried: number[] = []
  for (let share = 1; share < last; share *= 2) tried.push(share)
  return [...tried, last]
}

/**
 * The same question with at most `most` members on each node, those that stand there (`isMember`) counted in. Nothing
 * but a resource that only this gang knows: the planner needs no second kind of limit.
 */
export function apart(
  room: Snapshot,
  request: PlanRequest,
  { most, isMember }: { readonly most: number; readonly isMember: (pod: Pod) => boolean }
): { readonly room: Snapshot; readonly request: PlanRequest } {
  const limited = (info: NodeInfo): NodeInfo => ({
    ...info,
    node: { ...info.node, allocatable: plus(info.node.allocatable, most) },
    used: plus(info.used, info.pods.filter(isMember).length)
  })
  const pods = request.pods.map(pod => {
    const { key, requests } = pod.shape
    return { ...pod, shape: { ...pod.shape, key: keyOf(key), requests: plus(requests, 1) } }
  })
  const refused = new Map([...request.refused].map(([key, nodes]) => [keyOf(key), nodes]))
  return { room: new Snapshot(room.nodes.map(limited), true), request: { ...request, pods, refused } }
}

function plus(amounts: Resources, count: number): Resources {
  return new Map([...amounts, [share, count]])
}

/**
 * Deals equal pods out to their nodes in turn: kube-scheduler comes to them in their order, and what must be spread
 * evenly in the end must be so at every step.
 */
export function dealtOut(pods: readonly Pod[], nodes: ReadonlyMap<string, string>): Map<string, string> {
  const dealt = new Map<string, string>()
  const placed = pods.filter(pod => nodes.has(pod.uid))
  for (const equal of Map.groupBy(placed, pod => pod.shape.key).values()) {
    const turns = inTurn(equal.map(pod => nodes.get(pod.uid) ?? ''))
    for (const [index, pod] of equal.entries()) dealt.set(pod.uid, turns[index] ?? '')
  }
  return dealt
}

/** a a b b b → a b a b b */
function inTurn(names: readonly string[]): string[] {
  const piles = [...Map.groupBy(names, name => name).values()]
  const longest = Math.max(0, ...piles.map(pile => pile.length))
  return Array.from({ length: longest }, (_, turn) => piles.flatMap(pile => pile.slice(turn, turn + 1))).flat()
}
