import type { Worth } from '../bodies.ts'
import type { Pod } from '../types.ts'

/** What it costs that some go: 1. The highest priority among them. 2. Gangs ended whole. 3. Lost work. 4. Pods. */
export type Cost = {
  readonly priority: number
  readonly gangs: number
  /** In whole milliseconds, so that sums do not depend on their order. */
  readonly lostWork: number
  readonly pods: number
}

/** Nobody goes. */
export const nothing: Cost = { priority: Number.NEGATIVE_INFINITY, gangs: 0, lostWork: 0, pods: 0 }

/** What these pods cost, and so many gangs that end with them. */
export function costOf(pods: readonly Pod[], worth: ReadonlyMap<string, Worth>, gangs: number): Cost {
  let [priority, lostWork] = [Number.NEGATIVE_INFINITY, 0]
  for (const pod of pods) {
    const its = worth.get(pod.uid)
    priority = Math.max(priority, its?.priority ?? pod.priority)
    lostWork += Math.round((its?.lostWork ?? 0) * 1000)
  }
  return { priority, gangs, lostWork, pods: pods.length }
}

/** Both together. */
export function plus(a: Cost, b: Cost): Cost {
  return {
    priority: Math.max(a.priority, b.priority),
    gangs: a.gangs + b.gangs,
    lostWork: a.lostWork + b.lostWork,
    pods: a.pods + b.pods
  }
}

/** Below zero where `a` is cheaper. */
export function compareCosts(a: Cost, b: Cost): number {
  // Two that are endless are equal, while their difference is no number.
  const byPriority = a.priority === b.priority ? 0 : a.priority - b.priority
  return byPriority || a.gangs - b.gangs || a.lostWork - b.lostWork || a.pods - b.pods
}
