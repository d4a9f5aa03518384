import type { Body } from '../bodies.ts'
import { compare } from '../text.ts'
import type { Pod } from '../types.ts'
import { compareCosts, type Cost, costOf, nothing } from './cost.ts'

/** One portion of a body: one more of its surplus, or all that is left of it. */
export type Step = {
  /** Its number; the steps of a body follow each other. */
  readonly id: number
  readonly body: Body
  /** All steps of the body, in the order in which they are taken. */
  readonly chain: readonly Step[]
  /** Its place in the chain: so many steps come before it. */
  readonly level: number
  /** Who goes by it, when all steps before it are taken. */
  readonly pods: readonly Pod[]
  readonly cost: Cost
  /** Whose turn it is: the dearest cost up to here. */
  readonly turn: Cost
  /** Its place among the steps that are looked at, cheapest first. */
  rank: number
}

/** All steps, by number. */
export function stepsOf(bodies: readonly Body[]): readonly Step[] {
  const steps: Step[] = []
  for (const body of bodies) steps.push(...chainOf(body, steps.length))
  return steps
}

function chainOf(body: Body, first: number): readonly Step[] {
  const chain: Step[] = []
  let [left, turn] = [body.pods.length, nothing]
  for (const pods of portions(body)) {
    const level = chain.length
    left -= pods.length
    const cost = costOf(pods, body.worth, left === 0 && body.pods.length > 1 ? 1 : 0)
    turn = compareCosts(cost, turn) < 0 ? turn : cost
    chain.push({ id: first + level, body, chain, level, pods, cost, turn, rank: 0 })
  }
  return chain
}

function portions({ surplus, pods, whole }: Body): readonly (readonly Pod[])[] {
  if (surplus.length === 0) return whole && pods.length > 0 ? [pods] : []
  const gone = new Set(surplus.map(pod => pod.uid))
  const rest = whole ? pods.filter(pod => !gone.has(pod.uid)) : []
  return [...surplus.map(pod => [pod]), ...(rest.length > 0 ? [rest] : [])]
}

/**
 * All steps, cheapest first; those of one body stand in the order in which they are taken. Ties: 1. The first of the
 * body's pods, by namespace and name. 2. The body's key. 3. As they are taken.
 */
export function inTurn(steps: readonly Step[]): readonly Step[] {
  const firsts = new Map<Body, Pod>()
  const first = (body: Body): Pod | undefined => {
    const known = firsts.get(body) ?? body.pods.reduce((least, pod) => (byName(pod, least) < 0 ? pod : least))
    firsts.set(body, known)
    return known
  }
  const byBody = (a: Body, b: Body): number => {
    const [mine, other] = [first(a), first(b)]
    return (mine && other ? byName(mine, other) : 0) || compare(a.key, b.key)
  }
  const sorted = steps.toSorted(
    (a, b) => compareCosts(a.turn, b.turn) || (a.body === b.body ? a.level - b.level : byBody(a.body, b.body))
  )
  for (const [rank, step] of sorted.entries()) step.rank = rank
  return sorted
}

/** 1. Namespace. 2. Name. */
export function byName(a: Pod, b: Pod): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name)
}
