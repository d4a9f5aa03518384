/** An error that a user caused and can mend: shown as its message alone, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was asked has no answer at this moment; asked again later it has. Shown as its message alone. */
export class NotNow extends Error {
  override readonly name = 'NotNow'
  readonly statusCode = 503
}

/** A promise that muster makes to itself does not hold; nothing decided after it can be trusted. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
  /** One of a closed set: `I1` capacity, `I4` leak, `I5` single placement, as design and metrics name them. */
  readonly invariant: string
  constructor(invariant: string, message: string) {
    super(`invariant ${invariant} does not hold: ${message}`)
    this.invariant = invariant
  }
}

/** The text of whatever was thrown, in one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/\s+/g, ' ').slice(0, 500)
}
