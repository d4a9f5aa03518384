import { type Sort, takes } from './ground.ts'

/** So many pods of a shape go to nodes of a sort; `shape` -1: so many nodes of the sort are open at all. */
type Entry = { readonly sort: Sort; readonly shape: number; readonly by: number }
const open = -1

/**
 * Pods of each shape on nodes of each sort, one to a node. Exact: a pod is refused only where no exchange among those
 * that are placed makes room for it.
 */
export class Matching {
  readonly #sorts: readonly Sort[]
  readonly #shapes: number
  /** By sort and shape; the nodes that are open stand at `open`. */
  readonly #counts = new Map<Sort, Map<number, number>>()
  readonly #loads = new Map<Sort, number>()
  /** What was changed since the last `mark`, to be undone. */
  #log: Entry[] = []

  /** Of each sort so many nodes are open. */
  constructor(nodes: ReadonlyMap<Sort, number>, shapes: number) {
    this.#sorts = [...nodes.keys()].filter(sort => sort.includes('1')).toSorted()
    this.#shapes = shapes
    for (const sort of this.#sorts) this.#counts.set(sort, new Map([[open, nodes.get(sort) ?? 0]]))
  }

  /** What happens from now on can be undone. */
  mark(): void {
    this.#log = []
  }

  undo(): void {
    for (const { sort, shape, by } of this.#log.toReversed()) this.#change(sort, shape, -by)
    this.#log = []
  }

  /** One more pod of the shape is to have a node; false where that cannot be, and then nothing has changed. */
  place(shape: number): boolean {
    return this.#augment(shape)
  }

  /** One node of the sort is not open any more; false, and nothing has changed, where the pods need it. */
  close(sort: Sort): boolean {
    if (!this.#counts.has(sort)) return true
    if (this.#spare(sort) > 0) {
      this.#note(sort, open, -1)
      return true
    }
    const leaving = this.#shapesOn(sort)
    for (const shape of leaving) {
      const before = this.#log.length
      this.#note(sort, shape, -1)
      this.#note(sort, open, -1)
      if (this.#augment(shape)) return true
      this.#back(before)
    }
    return false
  }

  /** A pod of the shape, placed somewhere, is to have a node of that sort for good: both leave. False as above. */
  settle(shape: number, sort: Sort): boolean {
    if (!takes(sort, shape)) return false
    const from = this.#at(sort, shape) > 0 ? sort : this.sortFor(shape)
    if (from === undefined) return false
    const before = this.#log.length
    this.#note(from, shape, -1)
    if (this.close(sort)) return true
    this.#back(before)
    return false
  }

  /** The first sort of nodes on which a pod of that shape is placed. */
  sortFor(shape: number): Sort | undefined {
    return this.#sorts.find(sort => this.#at(sort, shape) > 0)
  }

  /** Breadth first: over the sorts that take the shape, then over those to which the pods there could go instead. */
  #augment(shape: number): boolean {
    const cameTo = new Map<Sort, { readonly shape: number; readonly from: Sort | undefined }>()
    const queue: { readonly shape: number; readonly from: Sort | undefined }[] = [{ shape, from: undefined }]
    for (const step of queue) {
      for (const sort of this.#sorts) {
        if (cameTo.has(sort) || !takes(sort, step.shape)) continue
        cameTo.set(sort, step)
        if (this.#spare(sort) > 0) {
          this.#shift(sort, cameTo)
          return true
        }
        for (const next of this.#shapesOn(sort)) queue.push({ shape: next, from: sort })
      }
    }
    return false
  }

  #shift(last: Sort, cameTo: ReadonlyMap<Sort, { readonly shape: number; readonly from: Sort | undefined }>): void {
    for (let sort: Sort | undefined = last; sort !== undefined; ) {
      const step = cameTo.get(sort)
      if (!step) return
      this.#note(sort, step.shape, 1)
      if (step.from !== undefined) this.#note(step.from, step.shape, -1)
      sort = step.from
    }
  }

  #shapesOn(sort: Sort): readonly number[] {
    const shapes: number[] = []
    for (let shape = 0; shape < this.#shapes; shape++) if (this.#at(sort, shape) > 0) shapes.push(shape)
    return shapes
  }

  #spare = (sort: Sort): number => this.#at(sort, open) - (this.#loads.get(sort) ?? 0)
  #at = (sort: Sort, shape: number): number => this.#counts.get(sort)?.get(shape) ?? 0

  #note(sort: Sort, shape: number, by: number): void {
    this.#log.push({ sort, shape, by })
    this.#change(sort, shape, by)
  }

  #back(length: number): void {
    while (this.#log.length > length) {
      const entry = this.#log.pop()
      if (entry) this.#change(entry.sort, entry.shape, -entry.by)
    }
  }

  #change(sort: Sort, shape: number, by: number): void {
    const counts = this.#counts.get(sort)
    counts?.set(shape, (counts.get(shape) ?? 0) + by)
    if (shape !== open) this.#loads.set(sort, (this.#loads.get(sort) ?? 0) + by)
  }
}
