import type { Clock, Random } from '../../clock.ts'
import type { Binding, Client, DeleteOptions, ListOptions, PatchType, Subresource } from '../store/client.ts'
import type { Json, KubeObject, Reference } from '../store/objects.ts'
import type { Resource } from './resource.ts'
import type { Resources } from './resources.ts'

/** What an API of the embedded cluster needs from outside. */
export type ApiOptions = {
  readonly clock: Clock
  readonly random: Random
  /** How many changes of each resource can be replayed to watches; older ones answer 410. Default 8192. */
  readonly history?: number
  /** Told of a watch's listener that throws; by default the error is thrown outside of the write. */
  readonly report?: (error: unknown) => void
}

/** How unknown and duplicate fields are treated: refused, told of through `warn`, or silently dropped. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

/** The query parameters of a write. */
export type WriteOptions = {
  /** Does everything but the write. */
  readonly dryRun?: boolean
  readonly fieldManager?: string
  /** Default `Ignore`. */
  readonly fieldValidation?: FieldValidation
  /** Told what would stand in a `Warning` header. */
  readonly warn?: (warning: string) => void
  /** Told true when an update or an apply made the object: HTTP answers 201. */
  readonly created?: (created: boolean) => void
}

/** How a patch is to be read, besides what goes with every write. */
export type PatchOptions = WriteOptions & {
  readonly type?: PatchType
  readonly subresource?: Subresource
}

/** One page of a list. */
export type PageOptions = ListOptions & {
  readonly limit?: number
  readonly continue?: string
  /** The list as it was at this version exactly; 410 where that is too old. */
  readonly exactly?: string
}

/** Objects in the order of their keys, and the token of the next page where there is one. */
export type Page = {
  readonly items: readonly KubeObject[]
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

/** The API in process: `Client`, and what else a server needs to speak it over HTTP. */
export interface EmbeddedApi extends Client {
  /** All resources that are served now, custom ones included. */
  readonly resources: Resources
  /** The version of the last change of anything; what a BOOKMARK may carry once a watch is up to date. */
  readonly resourceVersion: string
  create(resource: string, object: KubeObject, options?: WriteOptions): KubeObject
  update(resource: string, object: KubeObject, subresource?: Subresource, options?: WriteOptions): KubeObject
  patch(reference: Reference, patch: Json, options?: PatchOptions): KubeObject
  delete(reference: Reference, options?: DeleteOptions & { readonly dryRun?: boolean }): KubeObject
  bind(pod: Reference, binding: Binding, options?: WriteOptions): void
  /** Deletes what matches, and answers what was deleted. */
  deleteCollection(
    resource: string,
    list?: ListOptions,
    options?: DeleteOptions & { readonly dryRun?: boolean }
  ): readonly KubeObject[]
  listPage(resource: string, options?: PageOptions): Page
  /** The `autoscaling/v1` Scale of an object; undefined where there is no such object. Written by update and patch. */
  scale(reference: Reference): KubeObject | undefined
  /** The object under another of the resource's versions. */
  inVersion(object: KubeObject, resource: Resource, version: string): KubeObject
  /** Throws the 404 that upstream answers for an object that is not there. */
  notFound(reference: Reference): never
}
