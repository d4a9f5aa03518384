/** A heap of things with a uid. What leaves by name leaves at once; its place in the heap is swept up later. */
export class Heap<T extends { readonly uid: string }> {
  readonly #less: (a: T, b: T) => boolean
  readonly #places: { readonly item: T }[] = []
  readonly #current = new Map<string, { readonly item: T }>()

  /** What `less` reads of an item must not change while it is in here. */
  constructor(less: (a: T, b: T) => boolean) {
    this.#less = less
  }

  get size(): number {
    return this.#current.size
  }

  get(uid: string): T | undefined {
    return this.#current.get(uid)?.item
  }

  items(): readonly T[] {
    return [...this.#current.values()].map(({ item }) => item)
  }

  push(item: T): void {
    this.delete(item.uid)
    const place = { item }
    this.#current.set(item.uid, place)
    this.#places.push(place)
    this.#rise(this.#places.length - 1)
  }

  delete(uid: string): boolean {
    return this.#current.delete(uid)
  }

  /** The first item. */
  peek(): T | undefined {
    for (;;) {
      const first = this.#places[0]
      if (!first || this.#current.get(first.item.uid) === first) return first?.item
      this.#dropFirst()
    }
  }

  pop(): T | undefined {
    const first = this.peek()
    if (!first) return undefined
    this.#current.delete(first.uid)
    this.#dropFirst()
    return first
  }

  #dropFirst(): void {
    const last = this.#places.pop()
    if (last === undefined || this.#places.length === 0) return
    this.#places[0] = last
    this.#sink(0)
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
    const [a, b] = [this.#places[index], this.#places[other]]
    return a !== undefined && b !== undefined && this.#less(a.item, b.item)
  }

  #swap(index: number, other: number): void {
    const [a, b] = [this.#places[index], this.#places[other]]
    if (a && b) [this.#places[index], this.#places[other]] = [b, a]
  }
}
