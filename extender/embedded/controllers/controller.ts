import type { Clock, Random } from '../../clock.ts'
import type { Change, Informer } from '../informer.ts'
import type { Client } from '../store/client.ts'
import type { KubeObject } from '../store/objects.ts'
import type { Node, Pod, Workload } from '../kinds.ts'
import type { EventRecorder } from './events.ts'

/** Where a part of the embedded cluster tells what it did; pino's loggers are ones. */
export interface Log {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** How long things take; the defaults are upstream's. */
export type Timing = {
  /** How often every controller looks at everything again, whatever the watches said. */
  readonly resyncMs: number
  /** How long a node whose heartbeats stopped counts as ready. */
  readonly nodeGraceMs: number
  /** How long pods of a node that is gone are kept. */
  readonly orphanGraceMs: number
  /** First pause before a Job replaces a failed pod, doubled up to 10 minutes. */
  readonly jobBackoffMs: number
}

/** What all controllers share: one API, one set of informers, one queue. */
export type Shared = {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly timing: Timing
  readonly events: EventRecorder
  readonly pods: Informer<Pod>
  readonly nodes: Informer<Node>
  /** The informer of another resource; opened once, however many ask. */
  readonly informer: <T extends KubeObject = Workload>(resource: string) => Informer<T>
}

/** Where a controller says what needs a look, now or later. */
export interface Looks {
  add(key: string): void
  addAfter(key: string, ms: number): void
}

/**
 * One control loop. `open` says which changes ask for a look at which key; `keys` names all keys, for the resync;
 * `reconcile` compares what is with what should be and writes the difference: nothing, when there is none.
 */
export interface Controller {
  readonly name: string
  keys(): Iterable<string>
  reconcile(key: string): void
  /** Closes what it opened besides the informers. */
  stop?(): void
}

/** Makes a controller out of what all share; called once, before the watches open. */
export type OpenController = (shared: Shared, looks: Looks) => Controller

/** Both ends of a change: what it was is often what tells whom it concerns. */
export const bothOf = <T extends KubeObject>({ previous, object }: Change<T>): readonly T[] => {
  if (previous === undefined) return object === undefined ? [] : [object]
  return object === undefined ? [previous] : [previous, object]
}
