import type { Pod } from '../../policies/types.ts'
import type { Underway } from './underway.ts'

/** What the verbs look up; `gangs/` implements it, `main.ts` plugs it in. Nothing here plans. */

export type Placement =
  /** No gang of ours: any node but those where it would eat held room; `bars` is absent while nothing is held. */
  | { readonly kind: 'ordinary'; readonly bars: ((node: string) => boolean) | undefined }
  /** Exactly this node. */
  | { readonly kind: 'planned'; readonly node: string }
  /** No node, for now: its gang is forming, waiting or refused. */
  | { readonly kind: 'waiting' }

export type BindAsk = {
  readonly uid: string
  readonly node: string
  /** Aborted when kube-scheduler has hung up. */
  readonly signal: AbortSignal
}

export interface Gangs {
  /** Where the pod may go. Same state, same answer; commits nothing. */
  placement(pod: Pod): Placement
  /** kube-scheduler does not offer the node that the pod is nominated for and planned on; `offered` are the others. */
  refusedInTree(pod: Pod, node: string, offered: readonly string[]): void
  /** kube-scheduler offers these nodes for a pod that has to wait: what was learnt against them no longer holds. */
  offered(pod: Pod, names: () => readonly string[]): void
  /** Of the candidate nodes with their victims' uids, those where preemption breaks no gang and helps the pod. */
  allowedPreemptions(pod: Pod, candidates: ReadonlyMap<string, readonly string[]>): ReadonlySet<string>
  /** The error text for kube-scheduler; empty when the pod is on that node. */
  bind(ask: BindAsk): Promise<string>
}

export type PodRef = { readonly namespace: string; readonly name: string; readonly uid: string }

/** One call of kube-scheduler, as it was answered. */
export type Call = {
  readonly verb: string
  readonly outcome: string
  readonly status: number
  readonly scheme: string
  /** How long it took, milliseconds; it has just ended. */
  readonly ms: number
  readonly pod: PodRef | undefined
}

/** Told of calls once they are answered; never waits and never throws. */
export interface Tracer {
  called(call: Call): void
}

export type VerbParts = {
  readonly gangs: Gangs
  /** False until everything is listed and taken over: no verb may decide on half a picture. */
  readonly ready: () => boolean
  /** Reads a pod of a request; throws where it has no identity. */
  readonly project: (json: Readonly<Record<string, unknown>>) => Pod
  /** Where nodes that an answer leaves out count as unresolvable (since 1.36), one entry carries the reason. */
  readonly absentIsUnresolvable: () => boolean
  readonly underway: Underway
  /** Absent while nobody traces. */
  readonly tracer?: Tracer | undefined
}
