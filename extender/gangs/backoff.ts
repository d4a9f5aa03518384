import type { Random } from '../clock.ts'

export type BackoffRange = {
  /** The delay after the first failure, milliseconds; doubled each time. */
  readonly first: number
  /** Never longer than this, milliseconds. */
  readonly most: number
}

/** The delay after so many failures before this one: between half and the whole, so that many do not retry in step. */
export function backoff({ first, most }: BackoffRange, failures: number, random: Random): number {
  return Math.min(most, first * 2 ** failures) * (0.5 + random() / 2)
}
