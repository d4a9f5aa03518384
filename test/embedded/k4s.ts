import { stringify } from 'yaml'
import { KubernetesCluster, type KubernetesClusterOptions } from '../../extender/embedded/k4s/cluster.ts'
import type { ContainerStatus, Pod } from '../../extender/embedded/kinds.ts'
import { dice } from './parts.ts'

/** A container that is started again soon. */
const backoff = { firstMs: 20, longestMs: 100 }

/** A cluster for one test: dice that fall the same way each time, short pauses. */
export async function k4s(
  t: { teardown(task: () => unknown): void },
  options: KubernetesClusterOptions = {}
): Promise<KubernetesCluster> {
  const cluster = new KubernetesCluster({ root: import.meta.dirname, backoff, random: dice(), ...options })
  await cluster.start()
  t.teardown(() => cluster.stop(500))
  return cluster
}

/** A manifest of several documents. */
export const manifest = (...objects: readonly object[]): string => objects.map(each => stringify(each)).join('---\n')

/** A container that runs one of the functions of worker-functions.ts, or what a `module` of its own names. */
export const container = (name: string, does: string, spec: object = {}) => ({
  ...{ apiVersion: 'k4s/v1', kind: 'Container', metadata: { name } },
  spec: { module: 'worker-functions.ts', function: does, ...spec }
})

export const replicas = (name: string, count: number, does: string, spec: object = {}) => ({
  ...{ apiVersion: 'k4s/v1', kind: 'ReplicaSet', metadata: { name } },
  spec: { replicas: count, template: { spec: { module: 'worker-functions.ts', function: does, ...spec } } }
})

export const service = (name: string, selector: unknown = name) => ({
  ...{ apiVersion: 'k4s/v1', kind: 'Service', metadata: { name } },
  spec: { selector }
})

export const podOf = (cluster: KubernetesCluster, name: string) => cluster.get('Pod', name) as Pod | undefined

/** What the status says of a container, of the first one if none is named. */
export function statusOf(cluster: KubernetesCluster, pod: string, container?: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = podOf(cluster, pod)?.status ?? {}
  return [...containerStatuses, ...initContainerStatuses].find(
    ({ name }) => container === undefined || name === container
  )
}

export const restartsOf = (cluster: KubernetesCluster, pod: string): number => statusOf(cluster, pod)?.restartCount ?? 0

export const texts = (lines: readonly { readonly text: string }[] | undefined): string[] =>
  (lines ?? []).map(({ text }) => text)

/** Names of the containers that are there now, whatever else runs. */
export const containersOf = (cluster: KubernetesCluster): string[] =>
  cluster
    .list('Container')
    .map(({ metadata }) => metadata.name)
    .toSorted((one, other) => (one < other ? -1 : 1))

/** How often each one occurs. */
export const tally = (values: readonly unknown[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(values, String)].map(([value, all]) => [value, all.length]))
