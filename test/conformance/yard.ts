import { ApiClient } from '../control-plane/client.ts'
import type { ApiObject, Condition, Pod } from '../control-plane/objects.ts'
import { type Class, Plot, slot } from './plot.ts'

/** How many of them there are in the whole cluster, on at most as many nodes. */
export const slots = 4
/** Far below the pods of others, which have 0 unless they say otherwise: ours never evict them. */
const classes = { low: -2_000_000, high: -1_000_000 }
interface YardNode extends ApiObject {
  readonly spec: {
    readonly unschedulable?: boolean
    readonly taints?: readonly { readonly effect: string }[]
  }
  readonly status: {
    readonly conditions?: readonly Condition[]
    readonly allocatable?: Readonly<Record<string, string>>
  }
}

interface MusterPod extends Pod {
  readonly spec: Pod['spec'] & { readonly serviceAccountName?: string }
}

interface Review {
  readonly status: { readonly allowed: boolean }
}

/** A place of our own on the nodes of a cluster that is somebody's: slots, PriorityClasses, and namespaces one by one. */
export class Yard {
  readonly client: ApiClient
  /** The nodes that have slots. */
  readonly nodes: readonly string[]
  readonly #classes = new Map<Class, string>()

  private constructor(client: ApiClient, nodes: readonly string[]) {
    this.client = client
    this.nodes = nodes
  }

  /** Opens it on nodes that take pods; throws when there is none. */
  static async open(kubeconfig: string): Promise<Yard> {
    const client = await ApiClient.of(kubeconfig)
    const { items } = await client.get<{ items: readonly YardNode[] }>('/api/v1/nodes')
    const open = items.filter(takesPods).map(({ metadata }) => metadata.name)
    if (open.length === 0) throw new Error('no node of the cluster is ready and takes pods without tolerations')
    const yard = new Yard(client, open.toSorted().slice(0, slots))
    try {
      await yard.#furnish()
    } catch (error) {
      await yard.close()
      throw error
    }
    return yard
  }

  /** Takes away all that `open` brought. */
  async close(): Promise<void> {
    for (const name of this.#classes.values())
      await this.client.delete(`/apis/scheduling.k8s.io/v1/priorityclasses/${name}`)
    for (const node of this.nodes) await this.#setSlots(node, null)
    await this.client.close()
  }

  /** A namespace of its own, which goes with its pods when `play` has ended. */
  async within(play: (plot: Plot) => Promise<void>): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' }
    const metadata = { generateName: 'muster-conformance-', labels }
    const made = await this.client.create<ApiObject>('/api/v1/namespaces', { metadata })
    const plot = await Plot.open(this.client, made.metadata.name, this.#classes)
    try {
      await play(plot)
    } finally {
      await plot.close()
    }
  }

  /** Whether muster may evict, where it runs in the cluster; where it runs elsewhere, nobody can tell. */
  async mayEvict(): Promise<boolean> {
    const selector = encodeURIComponent('app.kubernetes.io/name=muster')
    const { items } = await this.client.get<{ items: readonly MusterPod[] }>(`/api/v1/pods?labelSelector=${selector}`)
    const [pod] = items
    if (pod === undefined) return true
    const user = `system:serviceaccount:${pod.metadata.namespace}:${pod.spec.serviceAccountName}`
    const resourceAttributes = { verb: 'create', resource: 'pods', subresource: 'eviction' }
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' }
    const answer = await this.client.create<Review>(path, { ...review, spec: { user, resourceAttributes } })
    return answer.status.allowed
  }

  async #furnish(): Promise<void> {
    for (const [name, value] of Object.entries(classes)) {
      const metadata = { generateName: `muster-conformance-${name}-` }
      const made = await this.client.create<ApiObject>('/apis/scheduling.k8s.io/v1/priorityclasses', {
        ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata, value },
        description: 'Made by the conformance tests of muster, and removed by them.'
      })
      this.#classes.set(name as Class, made.metadata.name)
    }
    for (const [index, node] of this.nodes.entries()) {
      const share = Math.floor(slots / this.nodes.length) + (index < slots % this.nodes.length ? 1 : 0)
      await this.#setSlots(node, String(share))
    }
  }

  async #setSlots(node: string, amount: string | null): Promise<void> {
    const room = { [slot]: amount }
    await this.client.patch(`/api/v1/nodes/${node}/status`, { status: { capacity: room, allocatable: room } })
  }
}

const takesPods = ({ spec, status }: YardNode): boolean =>
  spec.unschedulable !== true &&
  !spec.taints?.some(({ effect }) => effect !== 'PreferNoSchedule') &&
  (status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
