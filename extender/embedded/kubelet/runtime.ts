import type { Clock, Random } from '../../clock.ts'
import type { Client } from '../store/client.ts'
import type { Pod, PodStatus } from '../kinds.ts'
import type { LogLine } from './logs.ts'

/** Where the kubelet tells what it did; pino's loggers are ones. */
export interface Log {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** What the kubelet does for its runtimes. */
export interface Host {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The pod is synced again, now or after some time. */
  again(pod: Pod, ms?: number): void
  /** The pod's own address, the same as long as it is there, and its node's. */
  addressesOf(pod: Pod): { readonly podIP: string; readonly hostIP: string }
  /** Writes a status where it is another; answers the pod as it is then. */
  tell(pod: Pod, status: PodStatus): Pod
  /** Nothing of the pod runs any more: lets the API remove it. */
  release(pod: Pod): void
  /** An event about the pod. */
  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** Which log is asked for. */
export type LogOptions = {
  readonly container?: string
  /** That of the container before it was restarted last. */
  readonly previous?: boolean
}

/** Runs pods of one sort. */
export interface PodRuntime {
  readonly name: string
  /** Asked once for each pod, in the order of the runtimes; the first that says yes has it. */
  handles(pod: Pod): boolean
  /** Brings the pod a step towards what it should be; called on each change, so doing nothing is the usual case. */
  sync(pod: Pod): void
  /** The pod with this uid is not in the API any more: whatever still runs of it ends. */
  forget(uid: string): void
  /** Undefined where there is no such container. */
  logs(pod: Pod, options: LogOptions): readonly LogLine[] | undefined
  /** Ends everything at once. */
  stop(): Promise<void>
}

export type OpenRuntime = (host: Host) => PodRuntime

/** How long a container that failed is not started again: at once the first time, then 10 s · 2^n up to 5 minutes. */
export type Backoff = { readonly firstMs: number; readonly longestMs: number }

export const usualBackoff: Backoff = { firstMs: 10_000, longestMs: 300_000 }

/** The pause before restart number `restart`, counted from 0. */
export function pauseBefore(restart: number, { firstMs, longestMs }: Backoff): number {
  return restart === 0 ? 0 : Math.min(longestMs, firstMs * 2 ** Math.min(restart - 1, 30))
}
