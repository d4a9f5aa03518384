import type { Reference } from '../store/objects.ts'

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
