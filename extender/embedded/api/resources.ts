import type { Reference } from '../store/objects.ts'
import { builtIn } from './built-in.ts'

/** One resource that the API serves. */
export type Resource = {
  /** The plural, with its group where it has one: `pods`, `deployments.apps`. */
  readonly id: string
  readonly group: string
  /** The version that objects are stored and handed out under in process. */
  readonly version: string
  /** All that are served, the preferred one first. */
  readonly versions: readonly string[]
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** `status`, `scale`, `binding`, `eviction`, `log`, … */
  readonly subresources: readonly string[]
  /** The id of the resource whose objects these are: Events of both groups are one store. */
  readonly stored: string
  /** The version-specific parts of a custom resource. */
  readonly custom?: Custom
}

/** What a CustomResourceDefinition says about its resource. */
export type Custom = {
  readonly versions: Readonly<Record<string, CustomVersion>>
  /** Fields that field selectors may name. */
  readonly selectable?: readonly string[]
}

export type CustomVersion = {
  readonly schema: Schema | undefined
  readonly status: boolean
  readonly scale: ScalePaths | undefined
  /** `additionalPrinterColumns` as they stand in the definition. */
  readonly columns: readonly Readonly<Record<string, unknown>>[]
}

/** An `openAPIV3Schema`. */
export type Schema = Readonly<Record<string, unknown>>

export type ScalePaths = {
  readonly specReplicasPath: string
  readonly statusReplicasPath: string
  readonly labelSelectorPath?: string
}

/** All resources, by every way in which they are asked for. */
export class Resources implements Iterable<Resource> {
  readonly #byId = new Map<string, Resource>()

  constructor() {
    for (const resource of builtIn) this.#byId.set(resource.id, resource)
  }

  [Symbol.iterator](): Iterator<Resource> {
    return this.#byId.values()
  }

  /** By id. */
  get(id: string): Resource | undefined {
    return this.#byId.get(id)
  }

  /** As a URL names it; undefined where it is not served under that version. */
  find(group: string, version: string, plural: string): Resource | undefined {
    const resource = this.#byId.get(idOf(group, plural))
    return resource?.versions.includes(version) ? resource : undefined
  }

  /** By the type that an object says it has. */
  ofKind(apiVersion: string, kind: string): Resource | undefined {
    const { group, version } = groupVersion(apiVersion)
    for (const resource of this.#byId.values())
      if (resource.group === group && resource.kind === kind && resource.versions.includes(version)) return resource
    return undefined
  }

  /** Serves a resource, in the place of one of the same id. */
  add(resource: Resource): void {
    this.#byId.set(resource.id, resource)
  }

  remove(id: string): void {
    this.#byId.delete(id)
  }
}

export const idOf = (group: string, plural: string): string => (group === '' ? plural : `${plural}.${group}`)

/** `apps/v1` taken apart; the core group is the empty one. */
export function groupVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/')
  if (slash < 0) return { group: '', version: apiVersion }
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** The `apiVersion` of a resource's objects. */
export function apiVersionOf(resource: Resource, version: string = resource.version): string {
  return resource.group === '' ? version : `${resource.group}/${version}`
}

/** A reference with an empty namespace where the resource has none. */
export function keyOf(resource: Resource, reference: Reference): { readonly namespace: string; readonly name: string } {
  return { namespace: resource.namespaced ? (reference.namespace ?? 'default') : '', name: reference.name }
}
