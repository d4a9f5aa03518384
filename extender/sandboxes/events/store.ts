/** One event on its way to one webhook. Times are milliseconds since the epoch, since they may outlast the process. */
export type Delivery = {
  readonly sequence: number
  /** The CloudEvent's id. */
  readonly id: string
  /** The CloudEvent as JSON. */
  readonly body: string
  readonly attempts: number
  readonly since: number
  readonly due: number
  /** How the last attempt ended; empty before the first. */
  readonly error: string
  /** Given up: only a replay tries it anew. */
  readonly dead: boolean
}

/** An event to remember: `key` is what makes it the same event. */
export type NewEvent = { readonly key: string; readonly id: string; readonly body: string }

/** What there was before this process. */
export type Remembered = {
  /** Sequence numbers go on after it. */
  readonly sequence: number
  readonly events: readonly { readonly sequence: number; readonly body: string }[]
  readonly deliveries: ReadonlyMap<string, readonly Delivery[]>
  /** Webhooks that have answered 410. */
  readonly disabled: readonly string[]
}

/**
 * What makes an event durable, and tells whether it is a new one. The service calls `record` before it answers; one that
 * throws leaves nothing recorded, or all of it, so that the publisher may send the event again.
 */
export interface EventStore {
  restore(webhooks: readonly string[]): Promise<Remembered>
  /** The new event's sequence number, with a delivery to each webhook; undefined where the event is known already. */
  record(event: NewEvent, webhooks: readonly string[]): Promise<number | undefined>
  /** How that delivery stands now. */
  keep(webhook: string, delivery: Delivery): Promise<void>
  /** That delivery is done with. */
  forget(webhook: string, sequence: number): Promise<void>
  disable(webhook: string, disabled: boolean): Promise<void>
  /** Why nothing can be recorded now. */
  problem(): string | undefined
  close(): Promise<void>
}

/** For so long the same event is known. */
export const rememberedMs = 24 * 3_600_000
