import type { Clock, Random } from './clock.ts'
import type { ApiRequest, ApiServer } from './kubernetes/api-server.ts'
import { retryAfterMs } from './backoff.ts'
import { Complaints } from './kubernetes/complaints.ts'
import { type Json, object } from './json.ts'
import type { KubernetesMetrics } from './kubernetes/metrics.ts'
import { Reflector } from './kubernetes/reflector.ts'
import { writeOnce } from './kubernetes/writes.ts'
import { labels } from './sandboxes/labels.ts'
import type {
  Answer,
  ClusterKind,
  Follower,
  Following,
  Kind,
  Kubernetes,
  Log,
  Note
} from './sandboxes/scheduler/ports.ts'

export type SandboxClusterOptions = {
  readonly api: ApiServer
  readonly namespace: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: KubernetesMetrics
}

/** Nobody waits longer for one answer: what was not done is done later. */
const timeoutMs = 10_000
const classes = '/apis/scheduling.k8s.io/v1/priorityclasses'
const mergePatch = 'application/merge-patch+json'

/** The sandboxes' view of a cluster: one namespace of it, over muster's own client. */
export class SandboxCluster implements Kubernetes {
  readonly #options: SandboxClusterOptions
  readonly #complaints: Complaints
  readonly #base: string

  constructor(options: SandboxClusterOptions) {
    this.#options = options
    this.#complaints = new Complaints(options.clock, options.log)
    this.#base = `/api/v1/namespaces/${encodeURIComponent(options.namespace)}`
  }

  create(kind: Kind | ClusterKind, body: Json): Promise<Answer> {
    const path = kind === 'priorityclasses' ? classes : `${this.#base}/${kind}`
    return this.#ask({ method: 'POST', path, body })
  }

  get(kind: Kind, name: string): Promise<Answer> {
    return this.#ask({ method: 'GET', path: this.#path(kind, name) })
  }

  patch(kind: Kind, name: string, body: Json): Promise<Answer> {
    return this.#ask({ method: 'PATCH', path: this.#path(kind, name), body, contentType: mergePatch })
  }

  remove(kind: Kind, name: string, uid?: string, resourceVersion?: string): Promise<Answer> {
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' }
    const preconditions = { uid, ...(resourceVersion !== undefined && { resourceVersion }) }
    const body = uid === undefined ? options : { ...options, preconditions }
    return this.#ask({ method: 'DELETE', path: this.#path(kind, name), body })
  }

  follow(kind: Kind, handler: Follower): Following {
    const reflector = new Reflector<Json>({
      ...this.#options,
      complaints: this.#complaints,
      resource: `sandbox ${kind}`,
      path: `${this.#base}/${kind}`,
      query: { labelSelector: `${labels.managed}=true` },
      project: json => json,
      handler
    })
    reflector.start()
    return reflector
  }

  note({ service, type, reason, note }: Note): void {
    const { api, namespace, clock } = this.#options
    const at = new Date(clock.wall()).toISOString()
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${service.name}-`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Service', namespace, ...service },
      ...{ type, reason, message: note.slice(0, 1000), count: 1, firstTimestamp: at, lastTimestamp: at },
      source: { component: 'muster-sandbox' }
    }
    void writeOnce(api, { method: 'POST', path: `${this.#base}/events`, body, timeoutMs })
  }

  /** Makes the namespace where it is not there. Where that may not be, the first sandbox says so. */
  async prepare(): Promise<void> {
    const { api, namespace } = this.#options
    const metadata = { name: namespace }
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata }
    const { status } = await this.#ask({ method: 'GET', path: this.#base })
    if (status === 404) await writeOnce(api, { method: 'POST', path: '/api/v1/namespaces', body, timeoutMs })
  }

  #path(kind: Kind, name: string): string {
    return `${this.#base}/${kind}/${encodeURIComponent(name)}`
  }

  async #ask(request: ApiRequest): Promise<Answer> {
    const { status, headers, body } = await this.#options.api.request({ ...request, timeoutMs })
    const retryAfter = retryAfterMs(headers['retry-after'])
    return { status, body: object(body), ...(retryAfter !== undefined && { retryAfterMs: retryAfter }) }
  }
}
