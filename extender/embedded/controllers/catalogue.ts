import { builtIn } from '../api/built-in.ts'
import { apiVersionOf } from '../api/resource.ts'
import type { Client, WatchEvent } from '../store/client.ts'
import type { KubeObject, OwnerReference } from '../store/objects.ts'

/** A resource as owner references name it. */
export type Kind = {
  readonly resource: string
  readonly group: string
  readonly kind: string
  readonly namespaced: boolean
}

/** All resources of an API, custom ones as they come and go. */
export interface Catalogue {
  /** `resource namespace/name` of an owner; undefined for a kind that is not served. */
  keyOf(owner: OwnerReference, namespace: string | undefined): string | undefined
  stop(): void
}

/** Written all the time and never owned by anybody whose end matters. */
const left: ReadonlySet<string> = new Set(['events', 'events.events.k8s.io'])

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '')

/** Watches every resource; `told` hears of each change of each object. */
export function openCatalogue(client: Client, told: (kind: Kind, event: WatchEvent) => void): Catalogue {
  const kinds = new Map<string, Kind>()
  const stops = new Map<string, () => void>()
  const catalogue: Catalogue = {
    stop: () => stops.forEach(stop => stop()),
    keyOf({ apiVersion, kind, name }, namespace) {
      const found = kinds.get(`${groupOf(apiVersion)} ${kind}`)
      if (found === undefined) return undefined
      return found.namespaced ? `${found.resource} ${namespace ?? 'default'}/${name}` : `${found.resource} ${name}`
    }
  }
  const add = (kind: Kind): void => {
    if (kinds.has(`${kind.group} ${kind.kind}`)) return
    kinds.set(`${kind.group} ${kind.kind}`, kind)
    stops.set(
      kind.resource,
      client.watch(kind.resource, event => told(kind, event))
    )
  }
  const known = builtIn.filter(({ id }) => !left.has(id))
  const ready = known.map(resource => ({
    resource: resource.id,
    group: groupOf(apiVersionOf(resource)),
    kind: resource.kind,
    namespaced: resource.namespaced
  }))
  // All kinds are known before the first object is told of: an owner of a kind to come would count as not served.
  for (const kind of ready) kinds.set(`${kind.group} ${kind.kind}`, kind)
  for (const kind of ready)
    stops.set(
      kind.resource,
      client.watch(kind.resource, event => told(kind, event))
    )
  const stopDefinitions = client.watch('customresourcedefinitions.apiextensions.k8s.io', ({ type, object }) => {
    const kind = kindOf(object)
    if (type !== 'DELETED') return add(kind)
    kinds.delete(`${kind.group} ${kind.kind}`)
    stops.get(kind.resource)?.()
  })
  stops.set('', stopDefinitions)
  return catalogue
}

function kindOf(definition: KubeObject): Kind {
  const { group, names, scope } = definition['spec'] as {
    readonly group: string
    readonly scope: string
    readonly names: { readonly kind: string; readonly plural: string }
  }
  return { resource: `${names.plural}.${group}`, group, kind: names.kind, namespaced: scope === 'Namespaced' }
}
