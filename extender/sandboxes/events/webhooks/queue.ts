import type { Delivery } from '../store.ts'

/** The deliveries of one receiver, of which each is waiting, under way or dead. Bounded. */
export class Queue {
  readonly #live = new Map<number, Delivery>()
  readonly #underWay = new Set<number>()
  readonly #dead = new Map<number, Delivery>()
  readonly #bounds: { readonly live: number; readonly dead: number }

  constructor(bounds: { readonly live: number; readonly dead: number }) {
    this.#bounds = bounds
  }

  get live(): number {
    return this.#live.size
  }

  get underWay(): number {
    return this.#underWay.size
  }

  get isFull(): boolean {
    return this.#live.size >= this.#bounds.live
  }

  get dead(): readonly Delivery[] {
    return [...this.#dead.values()]
  }

  get deadCount(): number {
    return this.#dead.size
  }

  /** Waiting, with that state. */
  put(delivery: Delivery): void {
    this.#dead.delete(delivery.sequence)
    this.#underWay.delete(delivery.sequence)
    this.#live.set(delivery.sequence, delivery)
  }

  take(delivery: Delivery): void {
    this.#underWay.add(delivery.sequence)
  }

  /** Done with. */
  drop({ sequence }: Delivery): void {
    this.#live.delete(sequence)
    this.#underWay.delete(sequence)
  }

  /** Given up; answers the dead letter that had to make room, if one had. */
  bury(delivery: Delivery): Delivery | undefined {
    this.drop(delivery)
    this.#dead.set(delivery.sequence, delivery)
    if (this.#dead.size <= this.#bounds.dead) return undefined
    const [oldest] = this.#dead.values()
    if (oldest) this.#dead.delete(oldest.sequence)
    return oldest
  }

  /** The waiting delivery that is due first; of equals the older one. */
  next(): Delivery | undefined {
    let first: Delivery | undefined
    for (const delivery of this.#live.values())
      if (!this.#underWay.has(delivery.sequence) && (!first || delivery.due < first.due)) first = delivery
    return first
  }

  /** All that wait. */
  get waiting(): readonly Delivery[] {
    return [...this.#live.values()].filter(({ sequence }) => !this.#underWay.has(sequence))
  }
}
