import type { Subresource } from '../store/client.ts'
import type { Json, KubeObject } from '../store/objects.ts'
import type { Store } from '../store/store.ts'
import type { Problem } from './errors.ts'
import type { Sources } from './metadata.ts'
import type { Resource } from './resource.ts'
import type { Resources } from './resources.ts'
import type { WriteOptions } from './types.ts'

/** What all writes share. */
export type Ground = Sources & { readonly store: Store; readonly resources: Resources }

/** How one object is changed. */
export type UpdateOptions = WriteOptions & {
  readonly subresource?: Subresource | undefined
  /** A PUT: what it does not say is taken out, and its uid is a precondition. */
  readonly replaces?: boolean
  /** What the change comes from, to be told where its result is no object. */
  readonly patch?: Json
}

/** What a strategy may look at. */
export type Context = Ground & {
  readonly resource: Resource
  readonly options: WriteOptions & { readonly subresource?: Subresource | undefined }
}

/** Which resource a write is to, and which part of it. */
export type Asked = { readonly resource: Resource; readonly subresource: Subresource | undefined }

/** What is particular to one resource; the Writer asks its parts in the order in which they stand here. */
export type Strategy = {
  /** Completes what somebody wrote, as upstream's decoder does. */
  defaults(object: KubeObject, resource: Resource): KubeObject
  /** Completes a new object: admission, and what only the server may set. */
  create(object: KubeObject, context: Context): KubeObject
  /** Completes a changed object. */
  update(object: KubeObject, current: KubeObject, context: Context): KubeObject
  validate(object: KubeObject, current: KubeObject | undefined, asked: Asked): readonly Problem[]
  /** Throws where an object may not be deleted. */
  deletable(object: KubeObject, context: Pick<Context, 'resource'>): void
  /** Whether something else than finalizers and grace keeps a deleted object. */
  holds(object: KubeObject): boolean
  /** After the write; `removed` after the end. */
  stored(object: KubeObject, ground: Ground): void
  removed(object: KubeObject, ground: Ground): void
}
