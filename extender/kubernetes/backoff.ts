import type { Random } from '../clock.ts'

export type BackoffOptions = {
  /** First delay, milliseconds; doubled each time. */
  readonly base: number
  /** Ceiling of one delay, milliseconds; also of what a server's Retry-After may ask for. */
  readonly cap: number
}

/** Growing delays with jitter between half and the whole, so that replicas do not retry in step. */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: Random
  #failures = 0

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options
    this.#random = random
  }

  /** The next delay in milliseconds; never below what the server asked for, unless that exceeds the cap. */
  next(retryAfterMs = 0): number {
    const { base, cap } = this.#options
    const grown = Math.min(cap, base * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 30)
    const jittered = grown * (0.5 + this.#random() / 2)
    const asked = Math.min(retryAfterMs, cap)
    return asked > jittered ? asked * (1 + this.#random() / 10) : jittered
  }

  /** Forgets past failures. */
  reset(): void {
    this.#failures = 0
  }
}

/** Retry-After in milliseconds where it is given in seconds (API servers send nothing else). */
export function retryAfterMs(headers: Readonly<Record<string, string>>): number | undefined {
  const value = headers['retry-after']
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined
}
