import type { FilterPlugin } from '../framework.ts'
import type { Node, Pod, Shape } from '../types.ts'
import { type Sort, sortOf, takes } from './ground.ts'

/** Of so many shapes it is known which nodes take them; with more that wait at a time, nothing is. */
const mostShapes = 32

/**
 * Which nodes take the pods that wait, kept in step with nodes, pods of others, and shapes: what has changed is looked at
 * when somebody asks. A shape that is new is put to every node once; all else costs as much as has changed.
 */
export class Terrain {
  readonly #filters: readonly FilterPlugin[]
  readonly #nodes = new Map<string, Node>()
  readonly #others = new Map<string, Map<string, Pod>>()
  readonly #waiting = new Map<string, { readonly shape: Shape; count: number }>()
  /** Those that the sorts tell of. */
  #shapes: readonly Shape[] = []
  readonly #sorts = new Map<string, Sort>()
  readonly #bySort = new Map<Sort, Set<string>>()
  /** Shapes that wait, or waited last. */
  #asked: readonly string[] = []
  /** Sorts that take every one of those. */
  #good = new Set<Sort>()
  #isMixed = false
  #capacity = 0
  /** Nodes that are to be looked at. */
  readonly #stale = new Set<string>()
  #isJudged = true

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

  setNode(node: Node): void {
    this.#nodes.set(node.name, node)
    this.#stale.add(node.name)
  }

  removeNode(name: string): void {
    this.#nodes.delete(name)
    this.#stale.add(name)
  }

  /** A pod that is not planned takes room on the node, or does so no more. */
  setOther(node: string, pod: Pod, isThere: boolean): void {
    const others = this.#others.get(node) ?? new Map<string, Pod>()
    if (isThere) others.set(pod.uid, pod)
    else others.delete(pod.uid)
    if (others.size > 0) this.#others.set(node, others)
    else this.#others.delete(node)
    this.#stale.add(node)
  }

  /** So many more pods of the shape wait, or fewer. */
  count(shape: Shape, by: number): void {
    const known = this.#waiting.get(shape.key)
    const entry = known ?? { shape, count: 0 }
    entry.count += by
    if (entry.count > 0) this.#waiting.set(shape.key, entry)
    else this.#waiting.delete(shape.key)
    if (!known || entry.count <= 0) this.#isJudged = false
  }

  /** Looks at all that has changed, and answers the nodes that may take something else than before. */
  survey(): readonly string[] {
    if (this.#waiting.size > mostShapes) {
      this.#isMixed = true
      return []
    }
    if (!this.#isJudged) this.#learn()
    const changed = [...this.#stale]
    for (const name of changed) this.#look(name)
    this.#stale.clear()
    return this.#isJudged ? changed : [...changed, ...this.#judge()]
  }

  #learn(): void {
    const waiting = [...this.#waiting.values()].map(entry => entry.shape)
    const shapes = waiting.filter(({ key }) => !this.#shapes.some(shape => shape.key === key))
    if (this.#shapes.length + shapes.length <= mostShapes) {
      if (shapes.length > 0) this.#extend(shapes)
      return
    }
    this.#shapes = waiting
    for (const name of this.#nodes.keys()) this.#stale.add(name)
  }

  #extend(shapes: readonly Shape[]): void {
    for (const [name, sort] of [...this.#sorts]) {
      const isGood = this.#good.has(sort)
      const longer = sort + this.#sortOf(name, shapes)
      this.#leave(name, sort)
      if (isGood) this.#good.add(longer)
      this.#enter(name, longer)
    }
    this.#shapes = [...this.#shapes, ...shapes]
  }

  #look(name: string): void {
    const before = this.#sorts.get(name)
    const after = this.#sortOf(name, this.#shapes)
    if (before === after) return
    if (before !== undefined) this.#leave(name, before)
    if (after !== undefined) this.#enter(name, after)
  }

  #sortOf(name: string, shapes: readonly Shape[]): Sort | undefined {
    const node = this.#nodes.get(name)
    if (shapes.length === 0) return node && ''
    const others = this.#others.get(name)?.values() ?? []
    return node && sortOf(node, [...others], { shapes, filters: this.#filters })
  }

  #leave(name: string, sort: Sort): void {
    this.#sorts.delete(name)
    if (this.#good.has(sort)) this.#capacity -= 1
    const same = this.#bySort.get(sort)
    same?.delete(name)
    if (same?.size !== 0) return
    this.#bySort.delete(sort)
    this.#good.delete(sort)
    this.#isJudged = false
  }

  #enter(name: string, sort: Sort): void {
    const known = this.#bySort.get(sort)
    const same = known ?? new Set<string>()
    same.add(name)
    this.#bySort.set(sort, same)
    this.#sorts.set(name, sort)
    if (this.#good.has(sort)) this.#capacity += 1
    this.#isJudged &&= known !== undefined
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
    this.#isJudged = true
    return flipped
  }
}
