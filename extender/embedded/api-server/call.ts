import type { ServerResponse } from 'node:http'
import type { Clock, Random } from '../../clock.ts'
import type { EmbeddedApi } from '../api/types.ts'
import type { Body } from './bodies.ts'
import type { Audit, User, Users } from './identity.ts'
import type { LogSource } from './log-source.ts'
import type { Shape } from './negotiation.ts'
import type { Query } from './query.ts'
import type { Target } from './target.ts'
import type { Lines } from './watch-lines.ts'

/** What a server answers from. */
export type ServerParts = {
  readonly api: EmbeddedApi
  readonly clock: Clock
  readonly random: Random
  readonly users: Users
  readonly audit: Audit
  /** Absent: no container has said anything. */
  readonly logs?: LogSource | undefined
  readonly watches: WatchLimits
}

export type WatchLimits = {
  readonly lines: Lines
  /** Events that may wait for a watcher which reads nothing before it is cut. */
  readonly backlog: number
  /** How long it may read nothing. */
  readonly patienceMs: number
  readonly bookmarkMs: number
}

/** One request for a resource, taken apart. */
export type Call = {
  readonly parts: ServerParts
  readonly target: Target
  readonly user: User
  readonly query: Query
  readonly body: Body
  /** In what shape the answer is wanted. */
  readonly shape: Shape
  /** Becomes a header of the answer. */
  readonly warn: (warning: string) => void
}

/** What is answered: a JSON body, or whatever `stream` writes, which also ends it. */
export type Answer =
  | { readonly status: number; readonly body: object }
  | { readonly stream: (response: ServerResponse) => void; readonly type: string }
