import { openApi } from '../../extender/embedded/api/api.ts'
import type { EmbeddedApi } from '../../extender/embedded/api/types.ts'
import type { Timing } from '../../extender/embedded/controllers/controller.ts'
import { startControllers } from '../../extender/embedded/controllers/start.ts'
import { firstFit } from '../../extender/embedded/k4s/placement.ts'
import type { Condition, Pod, PodSpec, PodStatus, Taint } from '../../extender/embedded/kinds.ts'
import type { NodeOptions } from '../../extender/embedded/kubelet/nodes.ts'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { type Kubelet, startKubelet } from '../../extender/embedded/kubelet/start.ts'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { VirtualClock } from '../gangs/virtual-clock.ts'

/** Dice that fall the same way each time. */
export function dice(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** An API that counts what is written through it, by method and resource. */
export function counting(api: EmbeddedApi): { readonly client: EmbeddedApi; readonly writes: string[] } {
  const writes: string[] = []
  const counted = new Set(['create', 'update', 'patch', 'delete', 'bind', 'evict'])
  const client = new Proxy(api, {
    get(target, name: keyof EmbeddedApi) {
      const value = target[name] as unknown
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const [first] = given
        const resource = typeof first === 'string' ? first : (first as { resource?: string } | undefined)?.resource
        if (counted.has(name)) writes.push(`${name} ${resource}`)
        return (value as (...given: unknown[]) => unknown).apply(target, given)
      }
    }
  })
  return { client, writes }
}

export const silence = { debug() {}, info() {}, warn() {}, error() {} }

/** An object as tests look at it. */
export type Seen = KubeObject & {
  readonly spec: PodSpec & { readonly replicas?: number; readonly taints?: readonly Taint[] }
  readonly status: PodStatus & { readonly [count: string]: unknown; readonly conditions?: readonly Condition[] }
}

export type Plane = {
  readonly api: EmbeddedApi
  readonly clock: VirtualClock
  /** What controllers, kubelet and placement wrote. */
  readonly writes: string[]
  readonly warnings: string[]
  readonly kubelet: Kubelet
  readonly run: (ms?: number) => Promise<void>
  readonly pods: (namespace?: string) => Pod[]
  /** Undefined where there is none, which the type does not say. */
  readonly get: (resource: string, name: string, namespace?: string) => Seen
  readonly apply: (object: object) => KubeObject
  readonly stop: () => Promise<void>
}

const resources: Record<string, string> = {
  ...{ Pod: 'pods', Service: 'services', Node: 'nodes', Namespace: 'namespaces', ConfigMap: 'configmaps' },
  ...{ ReplicaSet: 'replicasets.apps', Deployment: 'deployments.apps', DaemonSet: 'daemonsets.apps' },
  ...{ StatefulSet: 'statefulsets.apps', Job: 'jobs.batch', PodDisruptionBudget: 'poddisruptionbudgets.policy' }
}

/** A whole control plane in virtual time: API, controllers, a kubelet that simulates, first-fit placement. */
export function plane(
  t: { teardown(task: () => unknown): void },
  options: {
    readonly nodes?: readonly (string | NodeOptions)[]
    readonly timing?: Partial<Timing>
    readonly kubelet?: boolean
  } = {}
): Plane {
  const clock = new VirtualClock()
  const random = dice()
  const api = openApi({ clock, random })
  const { client, writes } = counting(api)
  const warnings: string[] = []
  const log = {
    ...silence,
    warn: (fields: object, message: string) => void warnings.push(`${message} ${JSON.stringify(fields)}`)
  }
  const ground = { client, clock, random, log }
  const nodes = (options.nodes ?? ['n-0', 'n-1']).map(node => (typeof node === 'string' ? { name: node } : node))
  const kubelet = startKubelet({
    ...ground,
    nodes: options.kubelet === false ? [] : nodes,
    runtimes: [simulatedRuntime()]
  })
  const controllers = startControllers({ ...ground, ...(options.timing && { timing: options.timing }) })
  const placement = firstFit(ground)
  const stop = async (): Promise<void> => {
    controllers.stop()
    await placement.stop()
    await kubelet.stop()
  }
  t.teardown(stop)
  return {
    ...{ api, clock, writes, warnings, kubelet },
    run: (ms = 500) => clock.advance(ms),
    pods: (namespace = 'default') => [...api.list('pods', { namespace }).items] as Pod[],
    get: (resource, name, namespace = 'default') => api.get({ resource, namespace, name }) as Seen,
    apply: object => api.create(resources[(object as KubeObject).kind] ?? '', object as KubeObject),
    stop
  }
}

export const template = (
  labels: Record<string, string>,
  more: { annotations?: Record<string, string>; spec?: object } = {}
) => ({
  metadata: { labels, ...(more.annotations && { annotations: more.annotations }) },
  spec: { containers: [{ name: 'main', image: 'none' }], ...more.spec }
})

export const replicaSet = (
  name: string,
  replicas: number,
  more: { metadata?: object; annotations?: Record<string, string>; spec?: object } = {}
) => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name, namespace: 'default', ...more.metadata },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template({ app: name }, more) }
})

export const deployment = (name: string, replicas: number, more: { spec?: object; template?: object } = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: more.template ?? template({ app: name }),
    ...more.spec
  }
})

export const job = (
  name: string,
  spec: object = {},
  pod: { annotations?: Record<string, string>; spec?: object } = {}
) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: 'default' },
  spec: { ...spec, template: template({}, { ...pod, spec: { restartPolicy: 'Never', ...pod.spec } }) }
})

export const namesOf = (objects: readonly KubeObject[]): string[] => objects.map(({ metadata }) => metadata.name)

/** Orders texts and numbers alike. */
export const compare = (one: unknown, other: unknown): number => (String(one) < String(other) ? -1 : 1)
