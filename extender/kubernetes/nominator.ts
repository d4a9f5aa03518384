import { pinnedTerms } from '../../policies/pin.ts'
import type { NodeSelectorTerm, Requirement, Shape } from '../../policies/types.ts'
import type { ApiServer } from './api-server.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { type PodRef, podPath, type WriteResult, writeOnce } from './writes.ts'

export type { PodRef, WriteResult } from './writes.ts'

const timeoutMs = 5_000
/** What the API server and its admission say no with, and to this pod alone. */
const refusals = new Set([400, 403, 422])

/** As `WriteResult`; `refused`: the pod is not taken with such an affinity. */
export type PinResult = WriteResult | { readonly outcome: 'refused'; readonly message: string }

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

  /** As `ungate`, with required node affinity to that node in the same patch; the terms that the pod has are narrowed. */
  async pin(ref: PodRef & { readonly shape: Shape }, gate: string, node: string): Promise<PinResult> {
    const nodeSelectorTerms = pinnedTerms(ref.shape.affinity, node).map(termOf)
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } }
    const result = await writeOnce(this.#api, {
      method: 'PATCH',
      path: podPath(ref),
      contentType: 'application/strategic-merge-patch+json',
      body: {
        metadata: { uid: ref.uid },
        spec: { schedulingGates: [{ $patch: 'delete', name: gate }], affinity: { nodeAffinity } }
      },
      timeoutMs
    })
    const isRefused = result.outcome === 'failed' && !result.forbidden && refusals.has(result.status ?? 0)
    return isRefused ? { outcome: 'refused', message: result.message } : result
  }
}

/** As the API writes it: what is empty is left out. */
function termOf({ matchExpressions, matchFields }: NodeSelectorTerm): object {
  return {
    ...(matchExpressions.length > 0 && { matchExpressions: matchExpressions.map(requirementOf) }),
    ...(matchFields.length > 0 && { matchFields: matchFields.map(requirementOf) })
  }
}

function requirementOf({ key, operator, values }: Requirement): object {
  return { key, operator, ...(values.length > 0 && { values }) }
}
