import { managed } from './names.ts'
import { milliValue, quantityOf, value } from './quantity.ts'
import type { Resources } from './types.ts'

/** A `ResourceList` as JSON carries it. */
export type Amounts = { readonly [resource: string]: unknown } | null | undefined

export type ContainerLike = {
  readonly name?: unknown
  readonly restartPolicy?: unknown
  readonly resources?: { readonly requests?: Amounts } | null
}

export type ContainerStatusLike = {
  readonly name?: unknown
  readonly resources?: { readonly requests?: Amounts } | null
  readonly allocatedResources?: Amounts
}

/** What of a pod's JSON decides its requests; all of it may be absent. */
export type PodLike = {
  readonly spec?: {
    readonly nodeName?: unknown
    readonly containers?: readonly ContainerLike[] | null
    readonly initContainers?: readonly ContainerLike[] | null
    readonly overhead?: Amounts
    readonly resources?: { readonly requests?: Amounts } | null
  } | null
  readonly status?: {
    readonly conditions?: readonly { readonly type?: unknown; readonly reason?: unknown }[] | null
    readonly containerStatuses?: readonly ContainerStatusLike[] | null
    readonly initContainerStatuses?: readonly ContainerStatusLike[] | null
    readonly resources?: { readonly requests?: Amounts } | null
    readonly allocatedResources?: Amounts
  } | null
}

/** Billionths by resource name, so that sums are rounded once, at the end, as upstream's are. */
type Sums = Map<string, bigint>

/**
 * What a pod takes on its node, as the scheduler of 1.36 counts it (`PodRequests` of k8s.io/component-helpers with the
 * default feature gates): the larger of all containers with the sidecars and of any init container with the sidecars
 * before it; pod-level requests in their place; overhead on top; and, once the pod has a node, what an in-place resize
 * has actuated or allocated, if that is more. Limits count for nothing: the API server has made requests of them.
 * `pods: 1` comes first. Amounts of zero or less, malformed ones and names that the scheduler ignores are left out.
 */
export function requestsOf(pod: PodLike): Resources {
  const sums = ofContainers(pod)
  setPodLevel(sums, pod)
  add(sums, read(pod.spec?.overhead))
  const requests = new Map([['pods', 1]])
  for (const name of [...sums.keys()].filter(isCounted).toSorted(byRank)) {
    const nanos = sums.get(name) ?? 0n
    const amount = name === 'cpu' ? milliValue(nanos) : value(nanos)
    if (amount > 0) requests.set(name, amount)
  }
  return requests
}

/** `AggregateContainerRequests`, see KEP-753. */
function ofContainers(pod: PodLike): Sums {
  const statuses = statusesOf(pod)
  const sums: Sums = new Map()
  for (const container of list(pod.spec?.containers)) add(sums, effective(pod, container, statuses))
  const sidecars: Sums = new Map()
  const largest: Sums = new Map()
  for (const container of list(pod.spec?.initContainers)) {
    if (container.restartPolicy === 'Always') {
      const requests = effective(pod, container, statuses)
      add(sums, requests)
      add(sidecars, requests)
      raise(largest, sidecars)
    } else {
      const running = read(container.resources?.requests)
      add(running, sidecars)
      raise(largest, running)
    }
  }
  raise(sums, largest)
  return sums
}

/** Only a pod on a node has been resized: for all others the scheduler's Fit plugin does not read the status. */
function statusesOf(pod: PodLike): ReadonlyMap<unknown, ContainerStatusLike> {
  if (!pod.spec?.nodeName) return new Map()
  const all = [...list(pod.status?.containerStatuses), ...list(pod.status?.initContainerStatuses)]
  return new Map(all.map(status => [status.name, status]))
}

function effective(pod: PodLike, container: ContainerLike, statuses: ReadonlyMap<unknown, ContainerStatusLike>): Sums {
  const spec = container.resources?.requests
  const status = statuses.get(container.name)
  if (!status?.resources) return read(spec)
  return resized(pod, spec, status.resources.requests, status.allocatedResources)
}

/** `determineEffectiveRequests`: an infeasible resize does not count, a pending one does. */
function resized(pod: PodLike, spec: Amounts, actuated: Amounts, allocated: Amounts): Sums {
  const sums = isResizeInfeasible(pod) ? new Map<string, bigint>() : read(spec)
  raise(sums, read(actuated))
  raise(sums, read(allocated))
  return sums
}

const isResizeInfeasible = (pod: PodLike) =>
  list(pod.status?.conditions).find(condition => condition.type === 'PodResizePending')?.reason === 'Infeasible'

function setPodLevel(sums: Sums, pod: PodLike): void {
  const spec = pod.spec?.resources?.requests
  const amounts = podLevel(pod, spec)
  for (const name of read(spec).keys()) if (isPodLevel(name)) sums.set(name, amounts.get(name) ?? 0n)
}

function podLevel(pod: PodLike, spec: Amounts): Sums {
  const status = pod.spec?.nodeName ? pod.status : undefined
  return status?.resources ? resized(pod, spec, status.resources.requests, status.allocatedResources) : read(spec)
}

const isPodLevel = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')

/** Native names other than these few are no resources of a node: upstream's `IsScalarResourceName`. */
function isCounted(name: string): boolean {
  if (order.includes(name) || /^(hugepages-|attachable-volumes-)/.test(name)) return true
  return name.includes('/') && !name.startsWith('requests.') && !ignored.has(name)
}

/** No node has them: they tell kube-scheduler whom to ask, and nothing about room. */
const ignored: ReadonlySet<string> = new Set(Object.values(managed))

/** As the Fit plugin looks at them; extended ones by name, so that equal pods have equal maps. */
const order = ['cpu', 'memory', 'ephemeral-storage']
const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
const byRank = (a: string, b: string) => rank(a) - rank(b) || (a < b ? -1 : 1)

function read(amounts: Amounts): Sums {
  const sums: Sums = new Map()
  if (typeof amounts !== 'object' || amounts === null) return sums
  for (const name of Object.keys(amounts)) {
    const nanos = quantityOf(amounts[name])
    if (nanos !== undefined) sums.set(name, nanos)
  }
  return sums
}

function add(sums: Sums, more: ReadonlyMap<string, bigint>): void {
  for (const [name, nanos] of more) sums.set(name, (sums.get(name) ?? 0n) + nanos)
}

/** Each amount becomes the larger of the two. */
function raise(sums: Sums, other: ReadonlyMap<string, bigint>): void {
  for (const [name, nanos] of other) {
    const known = sums.get(name)
    if (known === undefined || nanos > known) sums.set(name, nanos)
  }
}

function list<T>(items: readonly T[] | null | undefined): readonly T[] {
  const all: readonly T[] = Array.isArray(items) ? items : []
  return all.filter(item => typeof item === 'object' && item !== null)
}
