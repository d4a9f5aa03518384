import { Dice } from '../control-plane/random.ts'

/** What may happen, drawn from one seed: equal seeds, equal worlds. */
export class Chance {
  readonly #dice: Dice

  constructor(seed: number) {
    this.#dice = new Dice(seed)
  }

  /** Uniform in [0, 1). */
  readonly next = (): number => this.#dice.next()

  /** True with that probability. */
  is(probability: number): boolean {
    return this.#dice.next() < probability
  }

  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#dice.next() * (most - least + 1))
  }

  /** One of them; undefined where there is none. */
  one<T>(of: readonly T[]): T | undefined {
    return of[Math.floor(this.#dice.next() * of.length)]
  }
}
