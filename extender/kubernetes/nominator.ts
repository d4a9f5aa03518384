import type { ApiServer } from './api-server.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { type PodRef, podPath, type WriteResult, writeOnce } from './writes.ts'

export type { PodRef, WriteResult } from './writes.ts'

const timeoutMs = 5_000

/**
 * Writes nominations and takes gates away: one attempt each, five seconds at most, never throws.
 * The caller compares what it wants with what the watch shows, and asks again after a while.
 */
export class Nominator {
  readonly #api: ApiServer
  readonly #metrics: KubernetesMetrics

  constructor(api: ApiServer, metrics: KubernetesMetrics) {
    this.#api = api
    this.#metrics = metrics
  }

  /** Sets `status.nominatedNodeName`; undefined clears it. */
  async nominate(ref: PodRef, node: string | undefined): Promise<WriteResult> {
    const result = await writeOnce(this.#api, {
      method: 'PATCH',
      path: `${podPath(ref)}/status`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: ref.uid }, status: { nominatedNodeName: node ?? null } },
      timeoutMs
    })
    this.#metrics.nominations.inc({ result: result.outcome })
    return result
  }

  /** Removes one scheduling gate by its name; other gates stay. `done` as well where it was not there. */
  ungate(ref: PodRef, gate: string): Promise<WriteResult> {
    return writeOnce(this.#api, {
      method: 'PATCH',
      path: podPath(ref),
      contentType: 'application/strategic-merge-patch+json',
      body: { metadata: { uid: ref.uid }, spec: { schedulingGates: [{ $patch: 'delete', name: gate }] } },
      timeoutMs
    })
  }
}
