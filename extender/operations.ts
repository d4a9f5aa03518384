import { Registry } from 'prom-client'
import { gangGate } from '../policies/names.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { reasonOf, UsageError } from './errors.ts'
import { gatedByMuster, keepsAnnotation } from './gangs/membership/dialects.ts'
import { Profiles, profilesOf } from './gangs/membership/profiles.ts'
import { type Json, object, objects, statusMessage, text } from './json.ts'
import type { ApiRequest, ApiServer } from './kubernetes/api-server.ts'
import { connect } from './kubernetes/connection.ts'
import { list } from './kubernetes/list.ts'
import { kubernetesMetrics } from './kubernetes/metrics.ts'
import { Nominator, type PodRef, type WriteResult } from './kubernetes/nominator.ts'
import { Projector } from './kubernetes/projections.ts'

export { podGroupKinds } from './kubernetes/pod-groups.ts'

/** What the API server said; `problem` where it did not do what was asked. */
export type Said = { readonly status: number; readonly body: Json; readonly problem: string | undefined }

/** A pod that is on no node, as far as it concerns muster. */
export type WaitingPod = PodRef & {
  readonly schedulerName: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** The gate of muster's keeps it. */
  readonly gated: boolean
  /** The node that muster wrote into its status; nominations of kube-scheduler's own are none of ours. */
  readonly nominated: string | undefined
  /** Its scheduler name has a profile. */
  readonly ours: boolean
  /** muster plans it, and would ungate it. */
  readonly planned: boolean
  /** Somebody has looked at it: it has the condition `PodScheduled`. */
  readonly seen: boolean
  /** Resources of muster's that it asks for: no node offers them, kube-scheduler is told to ignore them. */
  readonly asks: readonly string[]
}

const pageSize = 500
/** Nobody who waits at a terminal waits longer for one answer. */
const timeoutMs = 10_000
const domain = 'muster.dev/'
/** Whom the API server takes for the writer of what muster writes: the User-Agent of `kubernetes/connection.ts`. */
const manager = 'muster'

export type OperationsParts = { readonly api: ApiServer; readonly clock: Clock; readonly config: Config }

/** One visit of a cluster by a command that looks or puts right: no watch, no cache, no memory between two questions. */
export class Operations {
  readonly #api: ApiServer
  readonly #clock: Clock
  readonly #nominator: Nominator
  readonly #projector = new Projector({ keepAnnotation: keepsAnnotation })
  readonly #profiles: Profiles

  constructor({ api, clock, config }: OperationsParts) {
    this.#api = api
    this.#clock = clock
    this.#nominator = new Nominator(api, kubernetesMetrics(new Registry()))
    this.#profiles = new Profiles(profilesOf(config), () => 0)
  }

  /** Connects to the cluster of the kubeconfig, and throws UsageError where it does not answer. */
  static async open(config: Config, clock: Clock): Promise<Operations> {
    const metrics = kubernetesMetrics(new Registry())
    const own = config.kubeconfig === undefined ? {} : { kubeconfig: config.kubeconfig }
    const operations = new Operations({ api: await connect({ clock, metrics, ...own }), clock, config })
    const { problem } = await operations.get('/version')
    if (problem === undefined) return operations
    await operations.close()
    throw new UsageError(`the API server at ${operations.url} does not answer: ${problem}; is --kubeconfig right?`)
  }

  get url(): string {
    return this.#api.url
  }

  get(path: string, query: ApiRequest['query'] = {}): Promise<Said> {
    return this.#ask({ method: 'GET', path, query })
  }

  /** For questions that are asked by creating an object. */
  create(path: string, body: Json): Promise<Said> {
    return this.#ask({ method: 'POST', path, body })
  }

  /** Tells of every pod that is on no node and has not ended, page by page; the answer says why that broke off, if it did. */
  async waitingPods(each: (pod: WaitingPod) => void): Promise<string | undefined> {
    const end = await list({
      ...{
        api: this.#api,
        clock: this.#clock,
        path: '/api/v1/pods',
        query: { fieldSelector: 'spec.nodeName=' },
        pageSize
      },
      signal: new AbortController().signal,
      onItems: items => {
        for (const item of objects(items)) this.#waiting(item).forEach(each)
      }
    })
    return end.ok ? undefined : end.reason
  }

  /** Takes the nomination from a pod. */
  clear(pod: PodRef): Promise<WriteResult> {
    return this.#nominator.nominate(pod, undefined)
  }

  /** Takes muster's gate from a pod; gates of others stay. */
  ungate(pod: PodRef): Promise<WriteResult> {
    return this.#nominator.ungate(pod, gangGate)
  }

  close(): Promise<void> {
    return this.#api.close()
  }

  async #ask(request: ApiRequest): Promise<Said> {
    try {
      const { status, body } = await this.#api.request({ ...request, timeoutMs })
      return { status, body: object(body), problem: status < 300 ? undefined : statusMessage(status, body) }
    } catch (error) {
      return { status: 0, body: {}, problem: reasonOf(error) }
    }
  }

  /** None where it is no pod that waits. */
  #waiting(json: Json): readonly WaitingPod[] {
    const { name, namespace, uid } = object(json.metadata)
    if ([name, namespace, uid].some(each => text(each) === undefined)) return []
    const pod = this.#projector.pod(json)
    if (pod.nodeName !== undefined || pod.terminating || pod.phase === 'Succeeded' || pod.phase === 'Failed') return []
    const gated = gatedByMuster(pod)
    const ours = this.#profiles.of(pod) !== undefined
    return [
      {
        ...{ namespace: pod.namespace, name: pod.name, uid: pod.uid, schedulerName: pod.schedulerName },
        ...{ createdAt: pod.createdAt, gated, ours, planned: this.#profiles.membership(pod) !== undefined },
        nominated: isOurNomination(json, { gated, ours }) ? pod.nominatedNodeName : undefined,
        seen: pod.scheduled !== undefined,
        asks: [...pod.shape.requests.keys()].filter(resource => resource.startsWith(domain))
      }
    ]
  }
}

/**
 * kube-scheduler nominates for its own preemptions, but never a pod that is gated. Of the others the API server knows
 * who wrote the field; one that keeps no such record leaves the scheduler's name.
 */
function isOurNomination(json: Json, { gated, ours }: { readonly gated: boolean; readonly ours: boolean }): boolean {
  const writers = objects(object(json.metadata).managedFields)
  if (gated || writers.length === 0) return gated || ours
  return writers.some(({ manager: who, fieldsV1 }) => {
    const status = object(object(fieldsV1)['f:status'])
    return who === manager && 'f:nominatedNodeName' in status
  })
}
