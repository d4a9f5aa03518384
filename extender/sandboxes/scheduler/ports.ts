import type { Event } from '../proto/generated/sandbox/v1/events_pb.js'

export type Json = Readonly<Record<string, unknown>>

/** What the API server said; an empty body reads as an empty object. */
export type Answer = { readonly status: number; readonly body: Json; readonly retryAfterMs?: number }

export type Kind = 'services' | 'pods'
/** Of the whole cluster. */
export type ClusterKind = 'priorityclasses'

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

/** The objects of one namespace, and what it needs of the whole cluster. Every HTTP status is an answer; a call throws only where no answer came. */
export interface Kubernetes {
  create(kind: Kind | ClusterKind, object: Json): Promise<Answer>
  get(kind: Kind, name: string): Promise<Answer>
  /** A JSON merge patch; a uid and a resourceVersion in its metadata are preconditions, and answered with 409. */
  patch(kind: Kind, name: string, patch: Json): Promise<Answer>
  /** The uid, and the version beside it, are preconditions. */
  remove(kind: Kind, name: string, uid?: string, version?: string): Promise<Answer>
  follow(kind: Kind, follower: Follower): Following
  /** Never throws; a lost one is no harm. */
  note(note: Note): void
}

/** Posts the configuration of a sandbox to its pod. Answers the HTTP status; throws where no answer came. */
export type Configure = (url: string, env: Readonly<Record<string, string>>) => Promise<number>

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

/** How many pods of a template are made ahead of need. */
export type PoolSize = { readonly way: 'warm' | 'placeholder'; readonly template: string; readonly size: number }

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
  /** What stands ready ahead of need. */
  readonly pools: readonly PoolSize[]
}
