import { unsearched } from '../../../policies/explanation.ts'
import { pinnedNode } from '../../../policies/pin.ts'
import type { Explanation } from '../../../policies/plan.ts'
import type { Pod } from '../../../policies/types.ts'
import type { State } from '../../state.ts'

/** Too many members are pinned to nodes that are gone: no room would help them. Undefined where that is not so. */
export function beyondPins(pods: readonly Pod[], need: number, state: State): Explanation | undefined {
  const lost = pods.flatMap(pod => {
    const node = pinnedNode(pod)
    return node === undefined || state.node(node) ? [] : [`${pod.name} is pinned to node ${node}`]
  })
  const [first] = lost
  if (first === undefined || pods.length - lost.length >= need) return undefined
  const others = lost.length > 1 ? `, like ${lost.length - 1} more` : ''
  const message = `${first}, which is gone${others}: it can start nowhere else, and must be deleted and made anew`
  return { ...unsearched(need, message), isPrivate: true }
}
