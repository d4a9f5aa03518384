import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, ApiError } from '../control-plane/client.ts'
import { History } from '../control-plane/history.ts'
import {
  gangObjects,
  isBound,
  isNominated,
  type NamedPod,
  type Pod,
  podObject,
  type PodOptions
} from '../control-plane/objects.ts'
import { summary } from '../control-plane/summary.ts'
import { LiveStore } from '../control-plane/watch.ts'

/** An extended resource that nobody else asks for: what the scenarios fight for, so that nobody else's room is at stake. */
export const slot = 'conformance.muster.dev/slot'
const patienceMs = 60_000

/** The PriorityClasses that pods of a plot may have. */
export type Class = 'low' | 'high'

/** How a pod of a plot differs from one for muster's scheduler without a priority. */
export interface PlotPod extends Pick<PodOptions, 'annotations' | 'schedulerName'> {
  readonly priority?: Class
}

/** One namespace of the yard, and what happens in it. */
export class Plot {
  readonly client: ApiClient
  readonly namespace: string
  readonly pods: LiveStore<Pod>
  readonly history = new History()
  readonly #classes: ReadonlyMap<Class, string>

  private constructor(client: ApiClient, namespace: string, classes: ReadonlyMap<Class, string>) {
    this.client = client
    this.namespace = namespace
    this.#classes = classes
    this.pods = new LiveStore<Pod>(client, `/api/v1/namespaces/${namespace}/pods`)
    this.pods.onChange(change => this.history.record(change))
  }

  static async open(client: ApiClient, namespace: string, classes: ReadonlyMap<Class, string>): Promise<Plot> {
    const plot = new Plot(client, namespace, classes)
    await plot.pods.start()
    return plot
  }

  async close(): Promise<void> {
    await this.client.delete(`/api/v1/namespaces/${this.namespace}/pods`)
    await this.waitFor('the pods are gone', () => this.pods.values().length === 0)
    await this.pods.stop()
    await this.client.delete(`/api/v1/namespaces/${this.namespace}`)
  }

  /** Creates single pods, each of which wants a slot. */
  async singles(names: readonly string[], pod: PlotPod = {}): Promise<void> {
    await this.#create(names.map(name => podObject(name, this.#options(pod))))
  }

  /** Creates a gang, or only its first `come` members. */
  async gang(gang: { name: string; size: number; gated: boolean; come?: number }, pod: PlotPod = {}): Promise<void> {
    await this.#create(gangObjects({ ...this.#options(pod), ...gang }).slice(0, gang.come ?? gang.size))
  }

  /** Deletes a gang and waits until it is gone. */
  async end(gang: string): Promise<void> {
    for (const { metadata } of this.members(gang))
      await this.client.delete(`/api/v1/namespaces/${this.namespace}/pods/${metadata.name}`)
    await this.waitFor(`gang ${gang} is gone`, () => this.members(gang).length === 0)
  }

  members(gang: string): readonly Pod[] {
    return this.pods.values().filter(({ metadata }) => metadata.annotations?.['muster.dev/gang'] === gang)
  }

  /** The pods with a node, of all or of one gang. */
  bound(gang?: string): readonly Pod[] {
    return (gang === undefined ? this.pods.values() : this.members(gang)).filter(isBound)
  }

  /** Those who keep room although they have no node. */
  nominated(): readonly Pod[] {
    return this.pods.values().filter(isNominated)
  }

  /** Waits until a gang of that size has its nodes. */
  async whole(gang: string, size: number): Promise<void> {
    await this.waitFor(`gang ${gang} of ${size} is bound`, () => this.bound(gang).length === size)
  }

  /** Waits for something that the pods show. */
  async waitFor(what: string, condition: () => boolean): Promise<void> {
    await this.pods.waitFor(what, condition, { timeout: patienceMs, describe: () => summary(this.pods.values()) })
  }

  /** Notes of the events about pods of this namespace. */
  async notes(): Promise<readonly string[]> {
    const path = `/apis/events.k8s.io/v1/namespaces/${this.namespace}/events`
    const { items } = await this.client.get<{ items: readonly { readonly note?: string }[] }>(path)
    return items.flatMap(({ note }) => note ?? [])
  }

  async #create(pods: readonly NamedPod[]): Promise<void> {
    for (const pod of pods) await this.#createOne(pod)
  }

  /** In a namespace that is new its service account may not be there yet. */
  async #createOne(pod: NamedPod): Promise<void> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      try {
        await this.client.create(`/api/v1/namespaces/${this.namespace}/pods`, pod)
        return
      } catch (error) {
        const early = error instanceof ApiError && error.status === 403 && error.message.includes('service account')
        if (!early || performance.now() > deadline) throw error
        await sleep(100)
      }
    }
  }

  #options({ priority, ...pod }: PlotPod): PodOptions {
    const priorityClassName = priority && this.#classes.get(priority)
    const options = { ...pod, extended: { [slot]: '1' }, image: 'registry.k8s.io/pause:3.10' }
    return { ...options, ...(priorityClassName !== undefined && { priorityClassName }) }
  }
}
