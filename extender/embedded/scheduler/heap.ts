/** A binary heap of things with a uid, so that they can also be found and taken out by it. */
export class Heap<T extends { readonly uid: string }> {
  readonly #less: (a: T, b: T) => boolean
  readonly #items: T[] = []
  readonly #byUid = new Map<string, T>()

  /** What `less` reads of an item must not change while it is in here. */
  constructor(less: (a: T, b: T) => boolean) {
    this.#less = less
  }

  get size(): number {
    return this.#items.length
  }

  get(uid: string): T | undefined {
    return this.#byUid.get(uid)
  }

  /** The first item. */
  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.delete(item.uid)
    this.#byUid.set(item.uid, item)
    this.#items.push(item)
    this.#rise(this.#items.length - 1)
  }

  pop(): T | undefined {
    const first = this.#items[0]
    if (first) this.#takeOut(0)
    return first
  }

  delete(uid: string): boolean {
    const item = this.#byUid.get(uid)
    if (!item) return false
    this.#takeOut(this.#items.indexOf(item))
    return true
  }

  #takeOut(index: number): void {
    this.#swap(index, this.#items.length - 1)
    const item = this.#items.pop()
    if (item) this.#byUid.delete(item.uid)
    this.#rise(index)
    this.#sink(index)
  }

  #rise(start: number): void {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#isBefore(index, parent)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  #sink(start: number): void {
    let index = start
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2]
      let first = index
      if (this.#isBefore(left, first)) first = left
      if (this.#isBefore(right, first)) first = right
      if (first === index) return
      this.#swap(index, first)
      index = first
    }
  }

  #isBefore(index: number, other: number): boolean {
    const [a, b] = [this.#items[index], this.#items[other]]
    return a !== undefined && b !== undefined && this.#less(a, b)
  }

  #swap(index: number, other: number): void {
    const [a, b] = [this.#items[index], this.#items[other]]
    if (a && b) [this.#items[index], this.#items[other]] = [b, a]
  }
}
