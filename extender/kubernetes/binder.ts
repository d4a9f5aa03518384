import { pause, type Clock, type Random } from '../clock.ts'
import { Backoff } from '../backoff.ts'
import { BindAttempt, type BindRequest, type BindResult } from './bind-attempt.ts'
import type { ApiServer } from './api-server.ts'
import type { KubernetesMetrics } from './metrics.ts'

export type { BindRequest, BindResult } from './bind-attempt.ts'

export type BindLimits = {
  /** On `clock.now()`: no write starts after it. */
  readonly deadline: number
  /** Once aborted no write starts; one that is under way is waited for, since its answer matters. */
  readonly signal?: AbortSignal
  /** Told why the API server has not bound the pod yet, whenever it is asked again. */
  readonly retrying?: (why: string) => void
}

export type BinderOptions = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly random: Random
  readonly metrics: KubernetesMetrics
  /** No write starts with less time than this left, milliseconds; default 50. */
  readonly reserveMs?: number
}

/** Binds pods to nodes, each at most once, and knows how it ended even where answers are lost. */
export class Binder {
  readonly #options: BinderOptions

  constructor(options: BinderOptions) {
    this.#options = options
  }

  /** Answers at the deadline at the latest, give or take a request's timeout; never throws. */
  async bind(request: BindRequest, limits: BindLimits): Promise<BindResult> {
    const result = await this.#settle(request, limits)
    this.#options.metrics.binds.inc({ result: result.outcome })
    return result
  }

  async #settle(request: BindRequest, limits: BindLimits): Promise<BindResult> {
    const { clock, random } = this.#options
    const backoff = new Backoff({ first: 50, most: 2_000 }, random)
    const attempt = new BindAttempt({ ...this.#options, request, deadline: limits.deadline })
    while (this.#mayGoOn(limits)) {
      const step = await attempt.step()
      if ('outcome' in step) return step
      if (attempt.reason !== '') limits.retrying?.(attempt.reason)
      await pause(clock, Math.min(backoff.next(step.retryAfterMs), this.#left(limits)), limits.signal)
    }
    return attempt.giveUp(limits.signal?.aborted ? 'the bind was called off' : 'the deadline passed')
  }

  #left({ deadline }: BindLimits): number {
    return Math.max(0, deadline - this.#options.clock.now())
  }

  #mayGoOn(limits: BindLimits): boolean {
    return !limits.signal?.aborted && this.#left(limits) > (this.#options.reserveMs ?? 50)
  }
}
