/** Whether this muster leads; `kubernetes/lease.ts` implements it for replicas. */
export interface Tenure {
  /** Which change of leader made us lead; undefined while we do not. Looks at the clock at each asking. */
  term(): number | undefined
  /** Monotonic milliseconds: we lead no longer than until then, unless we hear of a renewal. */
  until(): number
  /** Looks now whether we lead; resolves once that is known, or cannot be known soon. */
  look(): Promise<void>
  /** Told whenever `term` may answer something else. */
  onChange(listener: () => void): void
}

/** Without a lease there is nobody else. */
export const alone: Tenure = {
  term: () => 0,
  until: () => Number.POSITIVE_INFINITY,
  look: () => Promise.resolve(),
  onChange: () => {}
}

/** More changes of leader are not told apart by their number, so that epochs stay exact as numbers. */
const mostTerms = 90_000
/** Tenths of a second since 1970 stay below this until the year 5138. */
const termSize = 10 ** 11

/**
 * Which life of which leader: a later one has the greater number. The term comes first, since leaders stand on machines
 * whose clocks may disagree; the tenth of the second of the beginning tells the lives of one term apart, which are all
 * on one machine. It comes whole into the ids of plans.
 */
export function epochOf(term: number, wall: number): number {
  return Math.min(term, mostTerms) * termSize + Math.floor(wall / 100)
}
