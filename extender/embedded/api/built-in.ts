import type { Resource } from './resource.ts'

type Line = {
  readonly short?: string
  readonly sub?: string
  readonly categories?: string
  readonly cluster?: true
  readonly plural?: string
  readonly stored?: string
}

const core: Readonly<Record<string, Line>> = {
  Namespace: { short: 'ns', sub: 'status finalize', cluster: true },
  Node: { short: 'no', sub: 'status', cluster: true },
  Pod: { short: 'po', sub: 'status binding eviction log', categories: 'all' },
  Service: { short: 'svc', sub: 'status', categories: 'all' },
  Endpoints: { short: 'ep', plural: 'endpoints' },
  ReplicationController: { short: 'rc', sub: 'status scale', categories: 'all' },
  ConfigMap: { short: 'cm' },
  Secret: {},
  ServiceAccount: { short: 'sa' },
  Event: { short: 'ev' },
  PersistentVolumeClaim: { short: 'pvc', sub: 'status' },
  PersistentVolume: { short: 'pv', sub: 'status', cluster: true },
  LimitRange: { short: 'limits' },
  ResourceQuota: { short: 'quota', sub: 'status' },
  PodTemplate: {}
}

const apps: Readonly<Record<string, Line>> = {
  ReplicaSet: { short: 'rs', sub: 'status scale', categories: 'all' },
  Deployment: { short: 'deploy', sub: 'status scale', categories: 'all' },
  DaemonSet: { short: 'ds', sub: 'status', categories: 'all' },
  StatefulSet: { short: 'sts', sub: 'status scale', categories: 'all' },
  ControllerRevision: {}
}

const storage: Readonly<Record<string, Line>> = {
  StorageClass: { short: 'sc', cluster: true },
  CSINode: { cluster: true },
  CSIDriver: { cluster: true },
  CSIStorageCapacity: {},
  VolumeAttachment: { sub: 'status', cluster: true }
}

const dynamic: Readonly<Record<string, Line>> = {
  ResourceClaim: { sub: 'status' },
  ResourceClaimTemplate: {},
  DeviceClass: { cluster: true },
  ResourceSlice: { cluster: true }
}

const groups: Readonly<Record<string, Readonly<Record<string, Line>>>> = {
  '': core,
  apps,
  batch: { Job: { sub: 'status', categories: 'all' }, CronJob: { short: 'cj', sub: 'status', categories: 'all' } },
  'discovery.k8s.io': { EndpointSlice: {} },
  'coordination.k8s.io': { Lease: {} },
  'events.k8s.io': { Event: { short: 'ev', stored: 'events' } },
  'scheduling.k8s.io': { PriorityClass: { short: 'pc', cluster: true } },
  policy: { PodDisruptionBudget: { short: 'pdb', sub: 'status' } },
  'apiextensions.k8s.io': {
    CustomResourceDefinition: { short: 'crd crds', sub: 'status', categories: 'api-extensions', cluster: true }
  },
  'storage.k8s.io': storage,
  'resource.k8s.io': dynamic
}

/** What is served from the start: what upstream serves under the same names, as far as the parts here need it. */
export const builtIn: readonly Resource[] = Object.entries(groups).flatMap(([group, kinds]) =>
  Object.entries(kinds).map(([kind, line]) => resourceOf(group, kind, line))
)

function resourceOf(group: string, kind: string, line: Line): Resource {
  const singular = kind.toLowerCase()
  const plural = line.plural ?? pluralOf(singular)
  const id = group === '' ? plural : `${plural}.${group}`
  return Object.freeze({
    id,
    group,
    version: 'v1',
    versions: ['v1'],
    plural,
    singular,
    kind,
    shortNames: words(line.short),
    categories: words(line.categories),
    namespaced: line.cluster !== true,
    subresources: words(line.sub),
    stored: line.stored ?? id
  })
}

function words(text: string | undefined): readonly string[] {
  return text?.split(' ') ?? []
}

function pluralOf(singular: string): string {
  if (singular.endsWith('s')) return `${singular}es`
  return singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`
}
