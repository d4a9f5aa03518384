import type { ApiServer } from './api-server.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { type PodRef, podPath, type WriteResult, writeOnce } from './writes.ts'

const timeoutMs = 5_000

/** Ends pods: one attempt each, never throws. The caller is level-triggered and asks again. */
export class Evictor {
  readonly #api: ApiServer
  readonly #metrics: KubernetesMetrics

  constructor(api: ApiServer, metrics: KubernetesMetrics) {
    this.#api = api
    this.#metrics = metrics
  }

  /** Through the Eviction API, which honours PodDisruptionBudgets (429 is `failed`); the uid is a precondition. */
  async evict(ref: PodRef): Promise<WriteResult> {
    const { namespace, name, uid } = ref
    const result = await writeOnce(this.#api, {
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
    this.#metrics.evictions.inc({ result: result.outcome })
    return result
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
