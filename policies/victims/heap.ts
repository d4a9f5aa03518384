/** A binary heap in an array: the first by the comparator comes out first. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #compare: (a: T, b: T) => number

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  push(item: T): void {
    let at = this.#items.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.#items[parent]
      if (above === undefined || this.#compare(above, item) <= 0) break
      this.#items[at] = above
      at = parent
    }
    this.#items[at] = item
  }

  pop(): T | undefined {
    const [first] = this.#items
    const last = this.#items.pop()
    if (last !== undefined && this.#items.length > 0) this.#sink(last)
    return first
  }

  #sink(item: T): void {
    let at = 0
    for (let child = this.#better(1); child < this.#items.length; child = this.#better(2 * at + 1)) {
      const below = this.#items[child]
      if (below === undefined || this.#compare(item, below) <= 0) break
      this.#items[at] = below
      at = child
    }
    this.#items[at] = item
  }

  #better(left: number): number {
    const [a, b] = [this.#items[left], this.#items[left + 1]]
    return a !== undefined && b !== undefined && this.#compare(b, a) < 0 ? left + 1 : left
  }
}
