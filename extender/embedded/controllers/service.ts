import { isFinished, isLeaving, isReady, keyOf, type Pod, referenceTo, uidOf } from '../kinds.ts'
import { globSelector, matchesLabels, matchesName } from '../selectors.ts'
import type { KubeObject } from '../store/objects.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import type { Happening } from './events.ts'
import { canonical, hashOf } from './hash.ts'
import { ownedBy } from './pods.ts'
import { receiversOf, sendersTo } from './routes.ts'

export type Service = KubeObject & {
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly {
      readonly name?: string
      readonly protocol?: string
      readonly port: number
      readonly targetPort?: number | string
    }[]
    readonly type?: string
  }
}

const resource = 'endpointslices.discovery.k8s.io'
const managedBy = 'endpointslice-controller.k8s.io'
const mostEndpoints = 1000
/** Changes of many pods at once become one look. */
const batchMs = 20

/** Whether a Service sends to a pod: by its labels, or by its name where the Service has a glob. */
export function sendsTo(service: Service, pod: Pod): boolean {
  const glob = service.metadata.annotations?.[globSelector]
  if (glob !== undefined) return matchesName(pod.metadata.name, glob)
  const { selector } = service.spec ?? {}
  return selector !== undefined && Object.keys(selector).length > 0 && matchesLabels(selector, pod.metadata.labels)
}

/** Keeps the EndpointSlices of each Service, and warns of one that sends to nobody. */
export function openServices(shared: Shared, looks: Looks): Controller {
  const services = shared.informer<Service>('services')
  const slices = shared.informer(resource)
  services.onChange(({ object }) => object && looks.add(keyOf(object)))
  slices.onChange(change => {
    for (const slice of bothOf(change)) {
      const name = slice.metadata.labels?.['kubernetes.io/service-name']
      if (name !== undefined && services.get(`${slice.metadata.namespace}/${name}`))
        looks.add(`${slice.metadata.namespace}/${name}`)
    }
  })
  shared.pods.onChange(({ previous, object }) => {
    if (previous !== undefined && object !== undefined && !concerns(previous, object)) return
    const pods = [previous, object].filter(pod => pod !== undefined)
    for (const pod of pods)
      for (const service of sendersTo(pod, services)) if (sendsTo(service, pod)) looks.addAfter(keyOf(service), batchMs)
  })
  return {
    name: 'service',
    keys: () => services.keys(),
    reconcile(key) {
      const service = services.get(key)
      if (service !== undefined && !isLeaving(service)) look(shared, service)
    }
  }
}

function concerns(one: Pod, other: Pod): boolean {
  return (
    one.metadata.labels !== other.metadata.labels ||
    isLeaving(one) !== isLeaving(other) ||
    one.status?.phase !== other.status?.phase ||
    one.status?.podIP !== other.status?.podIP ||
    isReady(one) !== isReady(other)
  )
}

const isOurs = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === managedBy

const hasSelector = ({ metadata, spec }: Service): boolean =>
  metadata.annotations?.[globSelector] !== undefined || Object.keys(spec?.selector ?? {}).length > 0

function look(shared: Shared, service: Service): void {
  if (!hasSelector(service)) return
  const pods = receiversOf(service, shared.pods).filter(pod => !isFinished(pod) && sendsTo(service, pod))
  warn(shared, service, pods)
  const wanted = slicesOf(service, pods)
  const there = new Map(
    shared
      .informer(resource)
      .by('owner', uidOf(service))
      .filter(isOurs)
      .map(slice => [slice.metadata.name, slice])
  )
  for (const slice of wanted) keep(shared, there.get(slice.metadata.name), slice)
  for (const { metadata } of wanted) there.delete(metadata.name)
  for (const slice of there.values()) if (!isLeaving(slice)) shared.client.delete(referenceTo(resource, slice))
}

/** Tells once that nobody matches, and again only after somebody did. */
function warn(shared: Shared, service: Service, pods: readonly Pod[]): void {
  const glob = service.metadata.annotations?.[globSelector]
  const selector = glob ?? canonical(service.spec?.selector)
  const message = `selector ${selector} matches no pod: nothing that is sent to the service arrives`
  const happening: Happening = { type: 'Warning', reason: 'NoMatchingPods', message }
  if (pods.length === 0 && !shared.events.has(service, happening)) shared.events.record(service, happening)
}

const parts = ({ metadata, endpoints, ports }: KubeObject): string =>
  canonical([metadata.labels, endpoints ?? [], ports ?? []])

function keep(shared: Shared, there: KubeObject | undefined, slice: KubeObject): void {
  if (there === undefined) {
    shared.client.create(resource, slice)
    return
  }
  if (parts(there) !== parts(slice))
    shared.client.update(resource, {
      ...there,
      ...slice,
      metadata: { ...there.metadata, labels: slice.metadata.labels ?? {} }
    })
}

function slicesOf(service: Service, pods: readonly Pod[]): readonly KubeObject[] {
  const { name, namespace = 'default' } = service.metadata
  const reachable = pods.filter(pod => pod.status?.podIP !== undefined)
  // Pods come in another order to a controller that starts anew.
  const groups = Map.groupBy(reachable.toSorted(byName), pod => canonical(portsOf(service, pod)))
  const slices = [...groups.values()].flatMap(group =>
    chunks(group).map(chunk => ({ chunk, ports: portsOf(service, group[0]) }))
  )
  if (slices.length === 0) slices.push({ chunk: [], ports: [] })
  return slices.map(({ chunk, ports }, index) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${hashOf([uidOf(service), index]).slice(0, 5)}`,
      namespace,
      labels: {
        ...service.metadata.labels,
        'kubernetes.io/service-name': name,
        'endpointslice.kubernetes.io/managed-by': managedBy
      },
      ownerReferences: [ownedBy(service)]
    },
    addressType: 'IPv4',
    endpoints: chunk.map(endpointOf),
    ports
  }))
}

const byName = (one: Pod, other: Pod): number => (one.metadata.name < other.metadata.name ? -1 : 1)

function chunks(pods: readonly Pod[]): readonly (readonly Pod[])[] {
  return Array.from({ length: Math.ceil(pods.length / mostEndpoints) }, (_, index) =>
    pods.slice(index * mostEndpoints, (index + 1) * mostEndpoints)
  )
}

function endpointOf(pod: Pod): Readonly<Record<string, unknown>> {
  const { name, namespace, uid } = pod.metadata
  const serving = isReady(pod)
  const { nodeName } = pod.spec
  return {
    addresses: [pod.status?.podIP],
    conditions: { ready: serving && !isLeaving(pod), serving, terminating: isLeaving(pod) },
    targetRef: { kind: 'Pod', name, namespace, uid },
    ...(nodeName !== undefined && { nodeName })
  }
}

function portsOf(service: Service, pod: Pod | undefined): readonly Readonly<Record<string, unknown>>[] {
  const named = new Map(
    (pod?.spec.containers ?? []).flatMap(({ ports = [] }) => ports).map(port => [port.name, port.containerPort])
  )
  return (service.spec?.ports ?? []).flatMap(({ name = '', protocol = 'TCP', port, targetPort = port }) => {
    const found = typeof targetPort === 'number' ? targetPort : named.get(targetPort)
    return found === undefined ? [] : [{ name, protocol, port: found }]
  })
}
