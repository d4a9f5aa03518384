import type { Clock } from '../clock.ts'
import { retryAfterMs } from '../backoff.ts'
import type { ApiResponse, ApiServer } from './api-server.ts'
import { causeOf, wasNotSent } from './errors.ts'
import { object, statusMessage, text } from '../json.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { type PodRef, podPath } from './writes.ts'

export type BindRequest = PodRef & {
  readonly node: string
  /** Merged into the pod in the same write. */
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * `bound`: on the wanted node, by us or before us. `gone`: no pod of that uid. `elsewhere`: on another node.
 * `refused`: unbound, and asking again will not help. `late`: out of time, and nothing of ours took effect.
 * `unknown`: out of time, and it may have taken effect: only the watch can tell.
 */
export type BindResult =
  | { readonly outcome: 'bound' }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'elsewhere'; readonly node: string }
  | { readonly outcome: 'refused'; readonly status: number; readonly message: string }
  | { readonly outcome: 'unknown' | 'late'; readonly message: string }

/** Nothing is settled; step again after a while. */
export type NotYet = { readonly retryAfterMs: number }

export type BindAttemptOptions = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly metrics: KubernetesMetrics
  readonly request: BindRequest
  readonly deadline: number
}

const longestRequestMs = 5_000

/** What is known of one binding while it is under way: one step is one request, or the look at the pod that it calls for. */
export class BindAttempt {
  readonly #options: BindAttemptOptions
  /** The next step looks before it writes. */
  #mustLook = false
  /** An answer was lost: what we asked for may still happen, whatever a look shows. */
  #uncertain = false
  /** What the look is to explain: a refusal that may mean many things. */
  #conflict: string | undefined
  #reason = ''

  constructor(options: BindAttemptOptions) {
    this.#options = options
  }

  /** What went wrong last; empty while nothing has. */
  get reason(): string {
    return this.#reason
  }

  /** Goes one request further. */
  step(): Promise<BindResult | NotYet> {
    return this.#mustLook ? this.#look() : this.#write()
  }

  /** The result when no more steps may be made. */
  giveUp(why: string): BindResult {
    const message = this.#reason === '' ? why : `${why}; before that: ${this.#reason}`
    return { outcome: this.#uncertain || this.#conflict !== undefined ? 'unknown' : 'late', message }
  }

  async #write(): Promise<BindResult | NotYet> {
    const { api, request } = this.#options
    const { name, namespace, uid, node, annotations } = request
    try {
      const response = await api.request({
        method: 'POST',
        path: `${podPath(request)}/binding`,
        body: {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid, annotations },
          target: { apiVersion: 'v1', kind: 'Node', name: node }
        },
        timeoutMs: this.#timeout()
      })
      return await this.#written(response)
    } catch (error) {
      this.#reason = causeOf(error)
      return wasNotSent(error) ? { retryAfterMs: 0 } : this.#lost()
    }
  }

  #written({ status, headers, body }: ApiResponse): BindResult | NotYet | Promise<BindResult | NotYet> {
    if (status < 300) return { outcome: 'bound' }
    if (status === 404) return { outcome: 'gone' }
    const message = statusMessage(status, body)
    this.#reason = message
    const wait = { retryAfterMs: retryAfterMs(headers['retry-after']) ?? 0 }
    // 401: the token has just rotated; the next request reads it anew.
    if (status === 429 || status === 401) return wait
    if (status === 409) {
      // Assigned, deleting, gated, another uid: the pod itself says which, its message is not for machines.
      this.#conflict = message
      this.#mustLook = true
      return this.#look()
    }
    if (status < 500) return { outcome: 'refused', status, message }
    // A 5xx may come after the write reached etcd (a timeout there is a 500 or 504).
    this.#mustLook = true
    this.#uncertain = true
    return wait
  }

  #lost(): Promise<BindResult | NotYet> {
    this.#options.metrics.unknownOutcomes.inc()
    this.#mustLook = true
    this.#uncertain = true
    return this.#look()
  }

  async #look(): Promise<BindResult | NotYet> {
    const { api, request } = this.#options
    try {
      // No resource version: the answer comes from a quorum, not from a cache that may lag behind our write.
      const response = await api.request({ method: 'GET', path: podPath(request), timeoutMs: this.#timeout() })
      return this.#looked(response)
    } catch (error) {
      this.#reason = causeOf(error)
      return { retryAfterMs: 0 }
    }
  }

  #looked({ status, headers, body }: ApiResponse): BindResult | NotYet {
    if (status === 404) return { outcome: 'gone' }
    const uid = text(object(object(body).metadata).uid)
    if (status !== 200 || uid === undefined) {
      this.#reason = statusMessage(status, body)
      return { retryAfterMs: retryAfterMs(headers['retry-after']) ?? 0 }
    }
    if (uid !== this.#options.request.uid) return { outcome: 'gone' }
    return this.#compared(text(object(object(body).spec).nodeName))
  }

  #compared(node: string | undefined): BindResult | NotYet {
    if (node === this.#options.request.node) return { outcome: 'bound' }
    if (node !== undefined) return { outcome: 'elsewhere', node }
    if (this.#conflict !== undefined) return { outcome: 'refused', status: 409, message: this.#conflict }
    this.#mustLook = false
    return { retryAfterMs: 0 }
  }

  /** Leaves time for a look after a write that is never answered. */
  #timeout(): number {
    const left = this.#options.deadline - this.#options.clock.now()
    return Math.max(1, Math.min(longestRequestMs, left * 0.6))
  }
}
