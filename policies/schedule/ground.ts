import { type FilterPlugin, runFilters } from '../framework.ts'
import { nodeInfo } from '../snapshot.ts'
import type { Node, Pod, Shape } from '../types.ts'

/** What the filters answer for each shape, as a text of 0 and 1: nodes of one text are interchangeable. */
export type Sort = string

/** Which shapes a node takes where only those others stand on it. A node is for one pod, so amounts never add up. */
export function sortOf(
  node: Node,
  others: readonly Pod[],
  { shapes, filters }: { readonly shapes: readonly Shape[]; readonly filters: readonly FilterPlugin[] }
): Sort {
  const info = nodeInfo(node, others)
  let sort = ''
  for (const shape of shapes) sort += runFilters(filters, shape, info) === undefined ? '1' : '0'
  return sort
}

export const takes = (sort: Sort, shape: number): boolean => sort[shape] === '1'
