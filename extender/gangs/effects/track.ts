import { backoff } from '../../backoff.ts'
import type { Random } from '../../clock.ts'

const again = { first: 250, most: 10_000 }
/** So long without a setback, and the next one is the first again. */
const calmMs = 60_000

/** What we did to one pod and have not seen the end of; times are monotonic milliseconds. */
export class Track {
  /** The nomination that we wrote last; undefined before the first. */
  written: { readonly node: string | undefined; readonly at: number; seen: boolean } | undefined
  /** When we took its gate away; infinite while that is under way. */
  letGoAt: number | undefined
  /** The API server did not take it with a pin: it is nominated instead. */
  unpinnable = false
  /** kube-scheduler was told again of a nomination that a former life wrote. */
  touched = false
  writing = false
  /** Writes that failed, or were undone by others, in a row; calm ends the row. */
  setbacks = 0
  notBefore = 0
  #setBackAt = 0

  /** The first setback is repaired at once: it is the ordinary end of a failed binding. */
  setBack(now: number, random: Random, retryAfterMs = 0): void {
    if (now - this.#setBackAt > calmMs) this.setbacks = 0
    this.#setBackAt = now
    const wait = this.setbacks === 0 ? 0 : backoff(again, this.setbacks, random)
    this.setbacks += 1
    this.notBefore = now + Math.max(wait, retryAfterMs)
  }
}
