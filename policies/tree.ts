import { Branch } from './branch.ts'

/**
 * Items in order, each once, in a balanced (AVL) tree: to add, to delete, to find the first costs the logarithm of how
 * many there are. It also knows which of them are chosen, first come first served, when there is only so much to spend.
 */
export class Tree<T> {
  /** How many branches were looked at: what it has cost. */
  looks = 0
  #root: Branch<T> | undefined
  readonly #compare: (a: T, b: T) => number
  readonly #weigh: (item: T) => number

  /** No two items compare as equal; an item's weight never changes while it is in the tree. */
  constructor(compare: (a: T, b: T) => number, weigh: (item: T) => number = () => 1) {
    this.#compare = compare
    this.#weigh = weigh
  }

  get size(): number {
    return this.#root?.count ?? 0
  }

  get first(): T | undefined {
    let at = this.#root
    while (at?.left) {
      this.looks++
      at = at.left
    }
    return at?.item
  }

  has(item: T): boolean {
    let at = this.#root
    while (at) {
      this.looks++
      const turn = this.#compare(item, at.item)
      if (turn === 0) return true
      at = turn < 0 ? at.left : at.right
    }
    return false
  }

  /** Does nothing where it is there. A new item is not chosen. */
  add(item: T): void {
    this.#root = this.#added(this.#root, item)
  }

  /** Does nothing where it is not there. */
  delete(item: T): void {
    this.#root = this.#deleted(this.#root, item)
  }

  /**
   * In their order, each item that is no heavier than what is left of `budget` is chosen and spent for. Tells of those
   * only for which that is news. Costs the logarithm for each of those, and for each item of more than the least weight
   * that was passed over with lighter ones after it.
   */
  choose(budget: number, tell: (item: T, isChosen: boolean) => void): void {
    this.#chosen(this.#root, budget, tell)
  }

  *[Symbol.iterator](): Generator<T> {
    const stack: Branch<T>[] = []
    for (let at = this.#root; at || stack.length > 0; ) {
      for (; at; at = at.left) stack.push(at)
      const top = stack.pop()
      if (top) yield top.item
      at = top?.right
    }
  }

  /** What is left of the budget after the branch. */
  #chosen(branch: Branch<T> | undefined, budget: number, tell: (item: T, isChosen: boolean) => void): number {
    if (!branch) return budget
    this.looks++
    const isWhole = branch.weight <= budget
    if (isWhole && branch.chosen === branch.count) return budget - branch.weight
    if (branch.least > budget && branch.chosen === 0) return budget
    let left = this.#chosen(branch.left, budget, tell)
    const fits = branch.own <= left
    if (fits) left -= branch.own
    if (fits !== branch.isChosen) tell(branch.item, fits)
    branch.isChosen = fits
    left = this.#chosen(branch.right, left, tell)
    branch.sum()
    return left
  }

  #added(branch: Branch<T> | undefined, item: T): Branch<T> {
    this.looks++
    if (!branch) return new Branch(item, this.#weigh(item))
    const turn = this.#compare(item, branch.item)
    if (turn === 0) return branch
    if (turn < 0) branch.left = this.#added(branch.left, item)
    else branch.right = this.#added(branch.right, item)
    return branch.balanced()
  }

  #deleted(branch: Branch<T> | undefined, item: T): Branch<T> | undefined {
    this.looks++
    if (!branch) return undefined
    const turn = this.#compare(item, branch.item)
    if (turn === 0) return this.#joined(branch.left, branch.right)
    if (turn < 0) branch.left = this.#deleted(branch.left, item)
    else branch.right = this.#deleted(branch.right, item)
    return branch.balanced()
  }

  /** One branch of two that stood under a deleted item: the first of the right one takes its place. */
  #joined(left: Branch<T> | undefined, right: Branch<T> | undefined): Branch<T> | undefined {
    if (!left || !right) return left ?? right
    let next = right
    while (next.left) {
      this.looks++
      next = next.left
    }
    const rest = this.#deleted(right, next.item)
    next.left = left
    next.right = rest
    return next.balanced()
  }
}
