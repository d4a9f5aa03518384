/** One complete attempt at a list, in all its pages. */
export type ListSpan = {
  readonly resource: string
  /** Monotonic milliseconds; it ends when it is told. */
  readonly from: number
  /** How many have come. */
  readonly objects: number
  /** Why it failed; absent where it did not. */
  readonly reason?: string
}

/** Told of what took time, once it is over; never waits and never throws. */
export interface Tracer {
  listed(span: ListSpan): void
}
