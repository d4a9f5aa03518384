import { Board, kindsOf } from './board.ts'
import { explain } from './explanation.ts'
import { anyOf, everyOne, type Finding } from './placement.ts'
import type { Profile } from './framework.ts'
import type { Snapshot } from './snapshot.ts'
import type { Pod } from './types.ts'

/** What is asked of the planner: room for at least `need` of `pods`, for more where there is room. */
export type PlanRequest = {
  /** The members without a node, in order of preference. */
  readonly pods: readonly Pod[]
  /** How many of them must get a node, or none gets one. */
  readonly need: number
  /** Learnt from kube-scheduler: shape keys by node name that it refused there for reasons not modelled here. */
  readonly refused: ReadonlyMap<string, ReadonlySet<string>>
}

/** Every member's node, by pod uid. */
export type Plan = { readonly outcome: 'planned'; readonly nodes: ReadonlyMap<string, string> }

/** Why there is no plan. `unknown` means that the search budget ended before either answer was proven. */
export type Explanation = {
  readonly outcome: 'infeasible' | 'unknown'
  /** How many of `need` could be placed at best, as far as the search went. */
  readonly placed: number
  readonly need: number
  /**
   * For the first member that found no node, as `namespace/name`: how many nodes refuse it and why; the counts add up
   * to all nodes. No pod (empty text) where every member found a node, but there are fewer members than `need`.
   */
  readonly blocked: { readonly pod: string; readonly reasons: ReadonlyMap<string, number> }
  /** All of it in one sentence. */
  readonly message: string
}

/**
 * Places a gang whole: all of its pods if they fit, else at least `need` of them and then as many more as find room,
 * earlier pods first; or says why not. The same question gives the same answer; whether there is a plan depends neither
 * on names nor on the order of the nodes. With one shape the answer is exact; with several it is where the search
 * came to its end within a fixed number of steps, and `unknown` else. Never changes its arguments.
 */
export function plan(snapshot: Snapshot, request: PlanRequest, profile: Profile): Plan | Explanation {
  const board = new Board(snapshot, kindsOf(request.pods), { filters: profile.filters, refused: request.refused })
  const all = everyOne(board)
  const found = isEnough(all, request) || request.need >= request.pods.length ? all : anyOf(board, request, all)
  return found.picks.length >= request.need
    ? { outcome: 'planned', nodes: nodesOf(board, found) }
    : explain(snapshot, request, { board, found, filters: profile.filters })
}

const isEnough = (found: Finding, { pods }: PlanRequest) => found.picks.length === pods.length

/** The earlier pods of each kind take the places that were found for the kind. */
function nodesOf(board: Board, { picks }: Finding): ReadonlyMap<string, string> {
  const waiting = board.kinds.map(kind => kind.pods.values())
  const nodes = new Map<string, string>()
  for (const { room, kind } of picks) {
    const pod = waiting[kind]?.next().value
    const node = board.rooms[room]
    if (pod && node) nodes.set(pod.uid, node.name)
  }
  return nodes
}
