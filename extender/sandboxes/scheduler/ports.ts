import type { Event } from '../proto/generated/sandbox/v1/events_pb.js'

export type Json = Readonly<Record<string, unknown>>

/** What the API server said; an empty body reads as an empty object. */
export type Answer = { readonly status: number; readonly body: Json; readonly retryAfterMs?: number }

export type Kind = 'services' | 'pods'

/** Told of all objects with the label `managed`, in the server's order. */
export interface Follower {
  /** The whole set, after each list: what is not in it is gone. */
  replace(objects: readonly Json[]): void
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Json): void
}

export interface Following {
  readonly synced: boolean
  stop(): Promise<void>
}

/** For people: what `kubectl describe service` shows. */
export type Note = {
  readonly service: { readonly name: string; readonly uid: string }
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly note: string
}

/** The objects of one namespace. Every HTTP status is an answer; a call throws only where no answer came. */
export interface Kubernetes {
  create(kind: Kind, object: Json): Promise<Answer>
  get(kind: Kind, name: string): Promise<Answer>
  /** A JSON merge patch; a uid and a resourceVersion in its metadata are preconditions, and answered with 409. */
  patch(kind: Kind, name: string, patch: Json): Promise<Answer>
  /** The uid is a precondition. */
  remove(kind: Kind, name: string, uid?: string): Promise<Answer>
  follow(kind: Kind, follower: Follower): Following
  /** Never throws; a lost one is no harm. */
  note(note: Note): void
}

/** Whoever tells the world that a sandbox has ended. Resolves once the event is durable; the same event again is harmless. */
export interface Publisher {
  publish(event: Event): Promise<void>
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Decided once, at the start. Durations are milliseconds. */
export type Settings = {
  /** Of this cluster, in answers and events. */
  readonly cluster: string
  readonly namespace: string
  /** Of a sandbox that asks for none. */
  readonly ttlMs: number
  /** No sandbox lives longer, however often it is retained. */
  readonly maxLifetimeMs: number
  readonly idempotenceTtlMs: number
  /** Without a store that answers nothing is made. */
  readonly strict: boolean
  /** A sandbox that is not ready after so long has failed. */
  readonly startTimeoutMs: number
  /** The end of a sandbox is kept for so long until somebody has taken it in. */
  readonly holdMs: number
  /** Everything is looked at anew so often. */
  readonly resyncMs: number
}
