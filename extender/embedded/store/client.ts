import type { Json, KubeObject, Reference } from './objects.ts'

export type ListOptions = {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export type DeleteOptions = {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'
/** Which node a pod gets. */
export type Binding = {
  readonly node: string
  readonly uid?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
}

/** `finalize` is of namespaces: what holds a leaving one. */
export type Subresource = 'status' | 'scale' | 'finalize'

export type WatchEvent = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }

/**
 * The API as the parts of the embedded cluster use it in process, with the same rules as over HTTP: defaults,
 * validation, optimistic concurrency, finalizers, graceful deletion. Synchronous, so that nothing interleaves inside
 * a call. Whatever is refused throws StatusError. Objects that it hands out are frozen.
 */
export interface Client {
  create(resource: string, object: KubeObject): KubeObject
  /** Undefined where there is no such object. */
  get(reference: Reference): KubeObject | undefined
  list(
    resource: string,
    options?: ListOptions
  ): { readonly items: readonly KubeObject[]; readonly resourceVersion: string }
  /** Replaces; a `metadata.resourceVersion` that is not the current one is a Conflict; without one the last write wins. */
  update(resource: string, object: KubeObject, subresource?: Subresource): KubeObject
  patch(
    reference: Reference,
    patch: Json,
    options?: { readonly type?: PatchType; readonly subresource?: Subresource }
  ): KubeObject
  /** The object as it is now: gone, or with a deletionTimestamp while finalizers or its kubelet still need it. */
  delete(reference: Reference, options?: DeleteOptions): KubeObject
  /** `pods/binding`: 409 when it is bound, gated or leaving, or when the uid is another. Its metadata is merged into the pod's. */
  bind(pod: Reference, binding: Binding): void
  /** `pods/eviction`: 429 where a disruption budget says no. */
  evict(pod: Reference, options?: DeleteOptions): void
  /**
   * Told of every change after `from` (a resourceVersion of a list; without it, of all objects as ADDED first), in
   * order, synchronously with the change. The answer stops it. Throws a 410 StatusError where `from` is too old.
   */
  watch(
    resource: string,
    listener: (event: WatchEvent) => void,
    options?: ListOptions & { readonly from?: string }
  ): () => void
}
