import type { Random } from './clock.ts'

export type BackoffRange = {
  /** The delay after the first failure, milliseconds; doubled each time. */
  readonly first: number
  /** Never longer than this, milliseconds; also what a server's Retry-After may ask for. */
  readonly most: number
}

/** The delay after so many failures before this one: between half and the whole, so that many do not retry in step. */
export function backoff({ first, most }: BackoffRange, failures: number, random: Random): number {
  return Math.min(most, first * 2 ** failures) * (0.5 + random() / 2)
}

/** Growing delays of one who counts the failures in a row. */
export class Backoff {
  readonly #range: BackoffRange
  readonly #random: Random
  #failures = 0

  constructor(range: BackoffRange, random: Random) {
    this.#range = range
    this.#random = random
  }

  /** The next delay in milliseconds; never below what the server asked for, unless that exceeds the most. */
  next(retryAfter = 0): number {
    const jittered = backoff(this.#range, this.#failures, this.#random)
    this.#failures += 1
    const asked = Math.min(retryAfter, this.#range.most)
    return asked > jittered ? asked * (1 + this.#random() / 10) : jittered
  }

  /** Forgets past failures. */
  reset(): void {
    this.#failures = 0
  }
}

/** The value of a Retry-After in milliseconds where it is given in seconds (dates are not read), else undefined. */
export function retryAfterMs(value: string | null | undefined): number | undefined {
  return value && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined
}
