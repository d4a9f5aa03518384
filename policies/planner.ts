import { Board, kindsOf } from './board.ts'
import { explain } from './explanation.ts'
import { anyOf, everyOne, type Finding } from './placement.ts'
import type { Profile } from './framework.ts'
import type { Snapshot } from './snapshot.ts'
import type { Explanation, Plan, PlanRequest } from './plan.ts'

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
