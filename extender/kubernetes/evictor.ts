import type { ApiServer } from './api-server.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { type PodRef, podPath, type WriteResult, writeOnce } from './writes.ts'

const timeoutMs = 5_000

/** As `WriteResult`; `refused`: asking again at once changes nothing. */
export type EvictResult = WriteResult | { readonly outcome: 'refused'; readonly message: string }

/**
 * A budget that allows no disruption now answers 429 with a cause, several budgets for one pod answer 500 (`Create` of
 * the API server's eviction.go), a missing right 403.
 */
function isRefusal(result: WriteResult): result is Extract<WriteResult, { readonly outcome: 'failed' }> {
  if (result.outcome !== 'failed') return false
  const { status, cause, message } = result
  return (
    status === 403 ||
    (status === 429 && cause === 'DisruptionBudget') ||
    (status === 500 && message.includes('more than one PodDisruptionBudget'))
  )
}

/** Ends pods: one attempt each, never throws. The caller is level-triggered and asks again. */
export class Evictor {
  readonly #api: ApiServer
  readonly #metrics: KubernetesMetrics

  constructor(api: ApiServer, metrics: KubernetesMetrics) {
    this.#api = api
    this.#metrics = metrics
  }

  /** Through the Eviction API, which honours PodDisruptionBudgets; the uid is a precondition. */
  async evict(ref: PodRef): Promise<EvictResult> {
    const { namespace, name, uid } = ref
    const written = await writeOnce(this.#api, {
      method: 'POST',
      path: `${podPath(ref)}/eviction`,
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid } }
      },
      timeoutMs
    })
    const result = isRefusal(written) ? { outcome: 'refused' as const, message: written.message } : written
    this.#metrics.evictions.inc({ result: result.outcome })
    return result
  }

  /** Writes one annotation, with the status, which needs a lesser right than the pod itself. */
  mark(ref: PodRef, annotation: string, value: string): Promise<WriteResult> {
    return writeOnce(this.#api, {
      method: 'PATCH',
      path: `${podPath(ref)}/status`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: ref.uid, annotations: { [annotation]: value } } },
      timeoutMs
    })
  }

  /** Sets a pod that never started to phase Failed, so that its controller sees an end. */
  fail(ref: PodRef, reason: string, message: string): Promise<WriteResult> {
    return writeOnce(this.#api, {
      method: 'PATCH',
      path: `${podPath(ref)}/status`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: ref.uid }, status: { phase: 'Failed', reason, message } },
      timeoutMs
    })
  }
}
