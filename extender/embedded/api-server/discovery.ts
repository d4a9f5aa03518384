import type { Resource } from '../api/resource.ts'
import type { Resources } from '../api/resources.ts'
import { reviewGroups } from './reviews.ts'
import { subresourcesOf } from './target.ts'

const readWrite = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const part = ['get', 'patch', 'update']

/** One entry of discovery, from which both of its forms are made. */
type Entry = {
  readonly name: string
  readonly singular: string
  readonly kind: string
  readonly group: string
  readonly version: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly subresources: readonly Sub[]
}

type Sub = {
  readonly name: string
  readonly kind: string
  readonly group: string
  readonly version: string
  readonly verbs: readonly string[]
}

function subOf(name: string, resource: Resource, version: string): Sub {
  const { kind, group } = resource
  if (name === 'scale') return { name, kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: part }
  if (name === 'eviction') return { name, kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] }
  if (name === 'binding') return { name, kind: 'Binding', group: '', version: 'v1', verbs: ['create'] }
  if (name === 'finalize') return { name, kind, group, version, verbs: ['update'] }
  return { name, kind, group, version, verbs: name === 'log' ? ['get'] : part }
}

function entryOf(resource: Resource, version: string): Entry {
  const { plural, singular, kind, group, namespaced, shortNames, categories } = resource
  return {
    ...{ name: plural, singular, kind, group, version, namespaced, shortNames, categories },
    verbs: readWrite,
    subresources: subresourcesOf(resource, version).map(name => subOf(name, resource, version))
  }
}

function reviewEntry(group: string, kind: string): Entry {
  const singular = kind.toLowerCase()
  return {
    ...{ name: `${singular}s`, singular, kind, group, version: 'v1' },
    ...{ namespaced: kind.startsWith('Local'), verbs: ['create'], shortNames: [], categories: [], subresources: [] }
  }
}

/** Everything that is served, by group and version, in upstream's order: the core group first. */
function entries(resources: Resources): ReadonlyMap<string, ReadonlyMap<string, readonly Entry[]>> {
  const groups = new Map<string, Map<string, Entry[]>>()
  const add = (entry: Entry): void => {
    const versions = groups.get(entry.group) ?? new Map<string, Entry[]>()
    groups.set(entry.group, versions)
    versions.set(entry.version, [...(versions.get(entry.version) ?? []), entry])
  }
  const sorted = [...resources].toSorted((one, other) => (one.plural < other.plural ? -1 : 1))
  for (const resource of sorted) for (const version of resource.versions) add(entryOf(resource, version))
  for (const [group, kinds] of Object.entries(reviewGroups)) for (const kind of kinds) add(reviewEntry(group, kind))
  return groups
}

/** `/api`, the legacy form. */
export function coreVersions(host: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }]
  }
}

/** `/apis`, the legacy form. */
export function groupList(resources: Resources): object {
  const groups = [...entries(resources)].filter(([group]) => group !== '').map(groupOf)
  return { kind: 'APIGroupList', apiVersion: 'v1', groups }
}

/** `/apis/apps`; undefined where there is no such group. */
export function groupNamed(resources: Resources, name: string): object | undefined {
  const versions = entries(resources).get(name)
  return versions && { kind: 'APIGroup', apiVersion: 'v1', ...groupOf([name, versions]) }
}

function groupOf([name, versions]: readonly [string, ReadonlyMap<string, unknown>]): object {
  const all = [...versions.keys()].map(version => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: all, preferredVersion: all[0] }
}

/** `/api/v1`, `/apis/apps/v1`; undefined where nothing is served under it. */
export function resourceList(resources: Resources, group: string, version: string): object | undefined {
  const found = entries(resources).get(group)?.get(version)
  if (!found) return undefined
  const groupVersion = group === '' ? version : `${group}/${version}`
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: found.flatMap(legacy) }
}

function legacy(entry: Entry): readonly object[] {
  const { name, singular, kind, namespaced, verbs, shortNames, categories, subresources } = entry
  const main = {
    ...{ name, singularName: singular, namespaced, kind, verbs },
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories })
  }
  const subs = subresources.map(sub => ({
    ...{ name: `${name}/${sub.name}`, singularName: '', namespaced, kind: sub.kind, verbs: sub.verbs },
    ...((sub.group !== entry.group || sub.version !== entry.version) && { group: sub.group, version: sub.version })
  }))
  return [main, ...subs]
}

/** `/api` and `/apis` in one piece, as newer clients ask for them. */
export function aggregated(resources: Resources, isCore: boolean): object {
  const groups = [...entries(resources)].filter(([group]) => (group === '') === isCore)
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(([name, versions]) => ({
      metadata: { name, creationTimestamp: null },
      versions: [...versions].map(([version, found]) => ({
        version,
        resources: found.map(modern),
        freshness: 'Current'
      }))
    }))
  }
}

function modern(entry: Entry): object {
  const { name, singular, kind, group, version, namespaced, verbs, shortNames, categories, subresources } = entry
  return {
    resource: name,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    ...(subresources.length > 0 && {
      subresources: subresources.map(sub => ({
        subresource: sub.name,
        responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
        verbs: sub.verbs
      }))
    })
  }
}
