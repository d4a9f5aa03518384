import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'

/** So many of one kind are told in one stretch of time. */
const burst = 10
const stretchMs = 10_000
/** Kinds remembered; a kind that is forgotten is told anew. */
const mostKinds = 500

type Stretch = { told: number; kept: number }

/** Keeps a line that comes again and again from flooding a log: a few are told, then how many there were. */
export class Repeats {
  readonly #clock: Clock
  readonly #summary: (kind: string, kept: number) => void
  readonly #stretches = new LRUCache<string, Stretch>({ max: mostKinds })

  /** `summary` is told, at the end of a stretch, how many of a kind were not. */
  constructor(clock: Clock, summary: (kind: string, kept: number) => void) {
    this.#clock = clock
    this.#summary = summary
  }

  /** Whether this one is to be told. */
  admit(kind: string): boolean {
    const stretch = this.#stretches.get(kind) ?? this.#begin(kind)
    if (stretch.told < burst) {
      stretch.told += 1
      return true
    }
    stretch.kept += 1
    return false
  }

  #begin(kind: string): Stretch {
    const stretch = { told: 0, kept: 0 }
    this.#stretches.set(kind, stretch)
    this.#clock.after(stretchMs, () => {
      if (this.#stretches.get(kind) === stretch) this.#stretches.delete(kind)
      if (stretch.kept > 0) this.#summary(kind, stretch.kept)
    })
    return stretch
  }
}
