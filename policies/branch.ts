/** An item in its place. What is summed up counts the whole branch. */
export class Branch<T> {
  readonly item: T
  left: Branch<T> | undefined
  right: Branch<T> | undefined
  isChosen = false
  height = 1
  count = 1
  chosen = 0
  /** Of all items together. */
  weight: number
  /** Of the lightest item. */
  least: number
  readonly own: number

  constructor(item: T, weight: number) {
    this.item = item
    this.own = weight
    this.weight = weight
    this.least = weight
  }

  /** The branch with both sides about as high, where one of them has changed by one. */
  balanced(): Branch<T> {
    this.sum()
    const lean = this.#lean()
    if (lean > 1) return this.#leantRight()
    return lean < -1 ? this.#leantLeft() : this
  }

  /** Counts anew what has changed below. */
  sum(): void {
    this.height = 1
    this.count = 1
    this.chosen = this.isChosen ? 1 : 0
    this.weight = this.own
    this.least = this.own
    if (this.left) this.#include(this.left)
    if (this.right) this.#include(this.right)
  }

  #include({ height, count, chosen, weight, least }: Branch<T>): void {
    this.height = Math.max(this.height, height + 1)
    this.count += count
    this.chosen += chosen
    this.weight += weight
    this.least = Math.min(this.least, least)
  }

  /** How much higher the left side is than the right. */
  #lean(): number {
    return (this.left?.height ?? 0) - (this.right?.height ?? 0)
  }

  #leantRight(): Branch<T> {
    if (this.left && this.left.#lean() < 0) this.left = this.left.#turnedLeft()
    return this.#turnedRight()
  }

  #leantLeft(): Branch<T> {
    if (this.right && this.right.#lean() > 0) this.right = this.right.#turnedRight()
    return this.#turnedLeft()
  }

  #turnedRight(): Branch<T> {
    const top = this.left
    if (!top) return this
    this.left = top.right
    top.right = this
    this.sum()
    top.sum()
    return top
  }

  #turnedLeft(): Branch<T> {
    const top = this.right
    if (!top) return this
    this.right = top.left
    top.left = this
    this.sum()
    top.sum()
    return top
  }
}
