import type { Condition } from '../../../policies/clusters.ts'
import { ejectionMs, failuresInARow } from '../../../policies/clusters/ejection.ts'

/** Probes in a row that it takes to fall, and to rise again. */
const [fall, rise] = [3, 2]
/** Whoever has come back gets nothing new for so long. */
const returningMs = 60_000
/** How long a cluster counts as saturated that does not say how long. */
const saturatedMs = 5_000

/** The health of one cluster: what probes say and what calls have met with. Times are a clock's `now()`. */
export class ClusterCondition {
  #seen = false
  #healthy = true
  /** Probes in a row that contradict what counts. */
  #against = 0
  #againstSince = 0
  #lostSince = 0
  #backSince: number | undefined
  #failures = 0
  #ejections = 0
  #ejectedUntil = 0
  #saturatedUntil = 0
  #sandboxes = 0
  #reason = 'not probed yet'

  /** Why it is not healthy, in the words of the last probe; empty where it is. */
  get reason(): string {
    return this.#healthy && this.#seen ? '' : this.#reason
  }

  /** Whether a probe has ever succeeded. */
  get seen(): boolean {
    return this.#seen
  }

  /** One probe; `problem` is undefined where it went well. Before the first success each one counts. */
  probed(problem: string | undefined, now: number): void {
    const isAgainst = (problem === undefined) !== this.#healthy
    if (!isAgainst) this.#against = 0
    else if (++this.#against === 1) this.#againstSince = now
    if (isAgainst && this.#against >= this.#enough) this.#turn(now)
    if (problem === undefined) this.#answered(now)
    else this.#reason = problem
  }

  get #enough(): number {
    if (!this.#seen) return 1
    return this.#healthy ? fall : rise
  }

  #answered(now: number): void {
    this.#seen = true
    // Past failures are forgiven one by one.
    if (now >= this.#ejectedUntil && this.#failures === 0) this.#ejections = Math.max(0, this.#ejections - 1)
  }

  #turn(now: number): void {
    this.#healthy = !this.#healthy
    this.#against = 0
    if (!this.#healthy) this.#lostSince = this.#againstSince
    // One that was never seen before is new, not back.
    else if (this.#seen) this.#backSince = now
  }

  /** A call was answered. */
  succeeded(): void {
    this.#failures = 0
  }

  /** A call failed. Whether that was one too many; `eject` is what then follows, if it may. */
  failed(): boolean {
    this.#failures += 1
    return this.#failures >= failuresInARow
  }

  eject(now: number): void {
    this.#failures = 0
    this.#ejections += 1
    this.#ejectedUntil = now + ejectionMs(this.#ejections)
  }

  saturate(now: number, ms = saturatedMs): void {
    this.#saturatedUntil = Math.max(this.#saturatedUntil, now + ms)
  }

  /** So many sandboxes are there. */
  count(sandboxes: number): void {
    this.#sandboxes = sandboxes
  }

  /** One more, until they are counted again. */
  add(): void {
    this.#sandboxes += 1
  }

  /** When what stands against it may end by itself; undefined where nothing does. */
  endsAt(now: number): number | undefined {
    const ends = [this.#saturatedUntil, this.#ejectedUntil].filter(end => end > now)
    return ends.length === 0 ? undefined : Math.min(...ends)
  }

  at(now: number): Condition {
    return {
      lostMs: this.#healthy ? 0 : Math.max(1, now - this.#lostSince),
      ejected: now < this.#ejectedUntil,
      saturated: now < this.#saturatedUntil,
      returning: this.#healthy && this.#backSince !== undefined && now - this.#backSince < returningMs,
      sandboxes: this.#sandboxes
    }
  }
}
