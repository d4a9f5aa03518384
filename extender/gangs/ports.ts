import type { Pod } from '../../policies/types.ts'

/** What the gangs need of the world; `main.ts` plugs in the parts of `kubernetes/`. */

export type PodRef = { readonly namespace: string; readonly name: string; readonly uid: string }

/** `gone`: no such pod any more. `conflict`: the name belongs to another pod, or the write came too late. */
export type WriteResult =
  | { readonly outcome: 'done' | 'gone' | 'conflict' }
  | {
      readonly outcome: 'failed'
      readonly message: string
      readonly retryAfterMs?: number
      /** The account has no right to do so, whatever the pod. */
      readonly forbidden?: true
    }

/** As `WriteResult`; `refused`: the API server does not take this pod with such an affinity. */
export type PinResult = WriteResult | { readonly outcome: 'refused'; readonly message: string }

/** One attempt each; the caller is level-triggered and backs off by itself. */
export interface Nominator {
  /** Sets `status.nominatedNodeName`, or clears it. */
  nominate(pod: PodRef, node: string | undefined): Promise<WriteResult>
  /** Removes one scheduling gate and leaves all others. */
  ungate(pod: PodRef, gate: string): Promise<WriteResult>
  /** As `ungate`, and in the same write holds the pod to that node, beside the node affinity that it has. */
  pin(pod: PodRef & Pick<Pod, 'shape'>, gate: string, node: string): Promise<PinResult>
}

export type Binding = PodRef & { readonly node: string; readonly annotations: Readonly<Record<string, string>> }

export type BindResult =
  /** On that node, by this write or by an earlier one. */
  | { readonly outcome: 'bound' }
  /** No such pod any more. */
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'elsewhere'; readonly node: string }
  /** The API server said no, for good as far as this attempt goes. */
  | { readonly outcome: 'refused'; readonly status: number; readonly message: string }
  /** Not written: the deadline came first, or the client went. */
  | { readonly outcome: 'late'; readonly message: string }
  /** Perhaps written: the reply was lost and the pod could not be read before the deadline. */
  | { readonly outcome: 'unknown'; readonly message: string }

export type BindLimits = {
  readonly deadline: number
  readonly signal: AbortSignal
  /** Told why the API server has not bound the pod yet, whenever it is asked again. */
  readonly retrying?: (why: string) => void
}

export interface Binder {
  /** Never starts a write after `deadline` (monotonic milliseconds) or once `signal` is aborted. */
  bind(binding: Binding, limits: BindLimits): Promise<BindResult>
}

/** As `WriteResult`; `refused`: by a disruption budget, by two of them, or for want of the right to evict. */
export type EvictResult =
  | WriteResult
  | { readonly outcome: 'refused'; readonly message: string; readonly forbidden?: true }

/** Ends pods; one attempt each. */
export interface Terminator {
  /** Through the Eviction API. */
  evict(pod: PodRef): Promise<EvictResult>
  /** Writes one annotation; undefined takes it away. */
  mark(pod: PodRef, annotation: string, value: string | undefined): Promise<WriteResult>
  /** Sets a pod that never started to phase Failed. */
  fail(pod: PodRef, reason: string, message: string): Promise<WriteResult>
}

export type Notice = {
  readonly pod: Pod
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly action: string
  readonly note: string
}

export interface Recorder {
  /** Never blocks and never throws; repeats and floods are dropped. */
  record(notice: Notice): void
}

export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Whose trace a span is part of. */
export type TracedGang = {
  readonly id: string
  /** Another gang of that name has another one. */
  readonly uid: string
  readonly epoch: number
  /** Undefined before the first plan. */
  readonly plan: string | undefined
}

export type SpanName =
  | 'gang'
  | 'plan'
  | 'barrier.wait'
  | 'kubernetes.bind'
  | 'kubernetes.nominate'
  | 'kubernetes.ungate'
  | 'kubernetes.pin'
  | 'kubernetes.evict'

export type GangSpan = {
  readonly name: SpanName
  readonly gang: TracedGang
  /** Monotonic milliseconds; it ends when it is told. */
  readonly from: number
  readonly outcome: string
  readonly pod?: PodRef
}

/** Told of what took time, once it is over; never waits and never throws. */
export interface Tracer {
  gang(span: GangSpan): void
}

/** Told of what nobody expected: the life in which it happened ends, or, for a broken promise to ourselves, the process. */
export type OnViolation = (error: unknown) => void

/** What the gangs do to the world. */
export type WorldPorts = {
  readonly binder: Binder
  readonly nominator: Nominator
  readonly terminator: Terminator
  readonly recorder: Recorder
}
