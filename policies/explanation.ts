import type { Board } from './board.ts'
import { type FilterPlugin, runFilters } from './framework.ts'
import type { Finding } from './placement.ts'
import type { Explanation, PlanRequest } from './plan.ts'
import { joined, type NodeInfo, type Snapshot } from './snapshot.ts'
import { compare, nameOf } from './text.ts'
import type { Pod } from './types.ts'

/** The reason of a node that kube-scheduler refused for a cause that is not modelled here. */
const refusedBefore = 'node(s) refused by kube-scheduler'
/** The reason of a node that no filter refuses: a filter that breaks its promises. */
const unexplained = 'node(s) for no known reason'

type Answer = { readonly board: Board; readonly found: Finding; readonly filters: readonly FilterPlugin[] }

/** Says what stands in the way of the first member without a node, once the others stand where they were placed. */
export function explain(snapshot: Snapshot, request: PlanRequest, { board, found, filters }: Answer): Explanation {
  const { need, refused } = request
  const { nodes, left } = placedOn(snapshot, request, { board, found })
  const blocked = left[0]
  const reasons = new Map<string, number>()
  for (const info of blocked ? nodes : []) {
    const reason = blocked && reasonOf(blocked, info, { filters, refused })
    if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const placed = Math.min(found.picks.length, need)
  const pod = blocked ? nameOf(blocked) : ''
  const sorted = new Map([...reasons].toSorted(([a, x], [b, y]) => y - x || compare(a, b)))
  const head = `${placed} of ${need} members fit; `
  const tail = blocked
    ? `member ${pod} finds no node among ${nodes.length}${listed(sorted)}`
    : `only ${request.pods.length} members wait for a node`
  const outcome = found.proven || !blocked ? 'infeasible' : 'unknown'
  return { outcome, placed, need, blocked: { pod, reasons: sorted }, message: head + tail }
}

/** Of those who need not be searched for: no room would help, for the reason in `message`. */
export const unsearched = (need: number, message: string): Explanation => ({
  ...{ outcome: 'infeasible', placed: 0, need, message },
  blocked: { pod: '', reasons: new Map() }
})

const listed = (reasons: ReadonlyMap<string, number>) =>
  reasons.size === 0 ? '' : `: ${[...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')}`

function reasonOf(
  pod: Pod,
  info: NodeInfo,
  { filters, refused }: Pick<Answer, 'filters'> & Pick<PlanRequest, 'refused'>
) {
  const refusal = runFilters(filters, pod.shape, info)
  if (refusal) return refusal.reason
  return refused.get(pod.shape.key)?.has(info.node.name) ? refusedBefore : unexplained
}

/** The nodes with the placed members on them, and the members that are left. */
function placedOn(snapshot: Snapshot, { pods }: PlanRequest, { board, found }: Pick<Answer, 'board' | 'found'>) {
  const waiting = board.kinds.map(kind => kind.pods.values())
  const infos = new Map(snapshot.nodes.map(info => [info.node.name, info]))
  const placed = new Set<Pod>()
  for (const { room, kind } of found.picks) {
    const pod = waiting[kind]?.next().value
    const info = infos.get(board.rooms[room]?.name ?? '')
    if (!pod || !info) continue
    placed.add(pod)
    infos.set(info.node.name, joined(info, pod))
  }
  return { nodes: [...infos.values()], left: pods.filter(pod => !placed.has(pod)) }
}
