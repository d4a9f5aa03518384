import type { FilterPlugin } from '../framework.ts'
import type { Node, Pod, Shape } from '../types.ts'
import { type Sort, sortOf, takes } from './ground.ts'

/** Of so many shapes it is known which nodes take them; with more the answers are computed again. */
const mostShapes = 32

/**
 * Which nodes take the pods that wait, kept in step with nodes, pods of others, and shapes. A shape that is new is put to
 * every node once; all else costs as much as has changed.
 */
export class Terrain {
  readonly #filters: readonly FilterPlugin[]
  readonly #nodes = new Map<string, Node>()
  readonly #others = new Map<string, Map<string, Pod>>()
  #shapes: Shape[] = []
  readonly #waiting = new Map<string, { readonly shape: Shape; count: number }>()
  readonly #sorts = new Map<string, Sort>()
  #bySort = new Map<Sort, Set<string>>()
  #asked: readonly string[] = []
  /** Sorts that take every shape that waits. */
  #good = new Set<Sort>()
  #isMixed = false
  #capacity = 0

  constructor(filters: readonly FilterPlugin[]) {
    this.#filters = filters
  }

  /** Whether each node takes all shapes that wait, or none. */
  get isUniform(): boolean {
    return this.#waiting.size === 0 || !this.#isMixed
  }

  /** How many nodes take what waits. */
  get capacity(): number {
    return this.#capacity
  }

  nodes(): Iterable<Node> {
    return this.#nodes.values()
  }

  /** Whether the node takes what waits; as last asked, while nobody does. */
  takes(node: string): boolean {
    const sort = this.#sorts.get(node)
    return sort !== undefined && this.#good.has(sort)
  }

  /** Answers the nodes that may take something else now; so do the other changes. */
  setNode(node: Node): readonly string[] {
    this.#nodes.set(node.name, node)
    return this.#look([node.name])
  }

  removeNode(name: string): readonly string[] {
    this.#nodes.delete(name)
    return this.#look([name])
  }

  /** A pod that is not planned takes room on the node, or does so no more. */
  setOther(node: string, pod: Pod, isThere: boolean): readonly string[] {
    const others = this.#others.get(node) ?? new Map<string, Pod>()
    if (isThere) others.set(pod.uid, pod)
    else others.delete(pod.uid)
    if (others.size > 0) this.#others.set(node, others)
    else this.#others.delete(node)
    return this.#look([node])
  }

  /** So many more pods of the shape wait, or fewer. */
  count(shape: Shape, by: number): readonly string[] {
    const known = this.#waiting.get(shape.key)
    const entry = known ?? { shape, count: 0 }
    entry.count += by
    if (entry.count > 0) this.#waiting.set(shape.key, entry)
    else this.#waiting.delete(shape.key)
    if (known && entry.count > 0) return []
    return this.#shapes.some(({ key }) => key === shape.key) ? this.#judge() : this.#learn(shape)
  }

  #learn(shape: Shape): readonly string[] {
    const waiting = [...this.#waiting.values()].map(entry => entry.shape)
    this.#shapes = this.#shapes.length < mostShapes ? [...this.#shapes, shape] : waiting
    this.#sorts.clear()
    this.#bySort = new Map()
    this.#capacity = 0
    this.#good = new Set()
    return this.#look([...this.#nodes.keys()])
  }

  #look(names: readonly string[]): readonly string[] {
    let isNew = false
    for (const name of names) {
      const before = this.#sorts.get(name)
      const after = this.#sortOf(name)
      if (before === after) continue
      if (before !== undefined) isNew = this.#leave(name, before) || isNew
      if (after !== undefined) isNew = this.#enter(name, after) || isNew
    }
    return isNew ? [...names, ...this.#judge()] : names
  }

  #sortOf(name: string): Sort | undefined {
    const node = this.#nodes.get(name)
    const others = this.#others.get(name)?.values() ?? []
    return node && sortOf(node, [...others], { shapes: this.#shapes, filters: this.#filters })
  }

  #leave(name: string, sort: Sort): boolean {
    const same = this.#bySort.get(sort)
    same?.delete(name)
    this.#sorts.delete(name)
    if (this.#good.has(sort)) this.#capacity -= 1
    if (same?.size !== 0) return false
    this.#bySort.delete(sort)
    this.#good.delete(sort)
    return true
  }

  #enter(name: string, sort: Sort): boolean {
    const known = this.#bySort.get(sort)
    const same = known ?? new Set<string>()
    same.add(name)
    this.#bySort.set(sort, same)
    this.#sorts.set(name, sort)
    if (this.#good.has(sort)) this.#capacity += 1
    return known === undefined
  }

  /** Which sorts are good for what waits now; while nothing does, what waited last counts. */
  #judge(): readonly string[] {
    if (this.#waiting.size > 0) this.#asked = [...this.#waiting.keys()]
    const numbers = this.#shapes.flatMap(({ key }, number) => (this.#asked.includes(key) ? [number] : []))
    const before = this.#good
    this.#good = new Set()
    this.#isMixed = false
    for (const sort of this.#bySort.keys()) {
      const taken = numbers.filter(number => takes(sort, number)).length
      if (taken === numbers.length) this.#good.add(sort)
      else if (taken > 0) this.#isMixed = true
    }
    const flipped = [...before.symmetricDifference(this.#good)].flatMap(sort => [...(this.#bySort.get(sort) ?? [])])
    this.#capacity = [...this.#good].reduce((sum, sort) => sum + (this.#bySort.get(sort)?.size ?? 0), 0)
    return flipped
  }
}
