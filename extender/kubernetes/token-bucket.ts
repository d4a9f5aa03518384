import type { Clock } from '../clock.ts'

/** Lets `burst` through at once and `perSecond` from then on. */
export class TokenBucket {
  readonly #options: { readonly clock: Clock; readonly perSecond: number; readonly burst: number }
  #tokens: number
  #filled: number

  constructor(options: { readonly clock: Clock; readonly perSecond: number; readonly burst: number }) {
    this.#options = options
    this.#tokens = options.burst
    this.#filled = options.clock.now()
  }

  /** 0 where a token was taken, else the milliseconds after which to ask again. */
  take(): number {
    const { clock, perSecond, burst } = this.#options
    const now = clock.now()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filled) / 1000) * perSecond)
    this.#filled = now
    if (this.#tokens >= 1) {
      this.#tokens -= 1
      return 0
    }
    // Never nothing: rounding may leave a token a hair short of whole.
    return Math.max(1, ((1 - this.#tokens) / perSecond) * 1000)
  }
}
