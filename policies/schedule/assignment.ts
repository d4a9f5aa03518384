import { compare } from '../text.ts'
import type { Pod } from '../types.ts'
import type { Sort } from './ground.ts'
import type { Scene, Selection } from './selection.ts'
import type { Unit } from './unit.ts'

/** Who stands on nodes, or still leaves them. */
export type Standing = {
  /** By node name, who stays or may be evicted. */
  readonly on: ReadonlyMap<string, readonly Unit[]>
  /** Somebody is on the node, maybe on the way out. */
  readonly isUsed: (node: string) => boolean
}

/**
 * Nodes for the pods of the chosen units, by pod uid. Who has a node in `former` keeps it where that is possible; the
 * others, in their turn, take the first node by name: of those where nobody is, else of those that are left.
 */
export function assign(
  scene: Scene,
  { chosen, matching }: Selection,
  { former, standing }: { readonly former: ReadonlyMap<string, string>; readonly standing: Standing }
): ReadonlyMap<string, string> {
  const nodes = new Map<string, string>()
  const shapeOf = ({ shape }: Pod): number => scene.shapes.get(shape.key) ?? 0
  const pods = scene.units.filter(unit => !unit.stands && chosen.has(unit)).flatMap(unit => unit.pods)
  const open = new Set([...scene.sorts.keys()].filter(node => !standing.on.get(node)?.some(unit => chosen.has(unit))))
  for (const pod of pods) {
    const node = former.get(pod.uid) ?? ''
    if (!open.has(node) || !matching.settle(shapeOf(pod), scene.sorts.get(node) ?? '')) continue
    nodes.set(pod.uid, node)
    open.delete(node)
  }
  const next = dealer(scene, open, standing)
  for (const pod of pods.filter(({ uid }) => !nodes.has(uid))) {
    const sort = matching.sortFor(shapeOf(pod)) ?? ''
    const node = next(sort)
    if (node === undefined || !matching.settle(shapeOf(pod), sort)) throw new TypeError('who is chosen has a node')
    nodes.set(pod.uid, node)
  }
  return nodes
}

/** Answers the next node of a sort, each once. */
function dealer({ sorts }: Scene, open: ReadonlySet<string>, { isUsed }: Standing): (sort: Sort) => string | undefined {
  const left = [...open].toSorted((a, b) => Number(isUsed(a)) - Number(isUsed(b)) || compare(a, b))
  const bySort = new Map([...Map.groupBy(left, node => sorts.get(node))].map(([sort, all]) => [sort, all.values()]))
  return sort => bySort.get(sort)?.next().value
}
