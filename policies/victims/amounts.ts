import type { Shape } from '../types.ts'

/** Amounts of some resources, each known by a number: equal pods share one. */
export class Amounts {
  readonly #resources: readonly string[]
  readonly #vectors: (readonly number[])[] = []
  readonly #byShape = new Map<Shape, number>()
  /** By number, then by number: the sum's number. */
  readonly #sums: Map<number, number>[] = []

  constructor(resources: readonly string[]) {
    this.#resources = resources
  }

  /** What a pod of that shape takes. */
  of(shape: Shape): number {
    const known = this.#byShape.get(shape)
    if (known !== undefined) return known
    const added = this.#add(this.#resources.map(name => shape.requests.get(name) ?? 0))
    this.#byShape.set(shape, added)
    return added
  }

  /** What both take together. */
  sum(a: number, b: number): number {
    const known = this.#sums[a]?.get(b)
    if (known !== undefined) return known
    const other = this.vector(b)
    const added = this.#add(this.vector(a).map((amount, index) => amount + (other[index] ?? 0)))
    this.#sums[a]?.set(b, added)
    return added
  }

  /** In the order of the resources. */
  vector(number: number): readonly number[] {
    return this.#vectors[number] ?? []
  }

  #add(vector: readonly number[]): number {
    this.#sums.push(new Map())
    return this.#vectors.push(vector) - 1
  }
}
