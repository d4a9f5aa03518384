import type { Binding, DeleteOptions, ListOptions, Subresource, WatchEvent } from '../store/client.ts'
import type { Json, KubeObject, Reference } from '../store/objects.ts'
import { Store } from '../store/store.ts'
import { bind } from './binding.ts'
import { Deletion } from './deletion.ts'
import { conflict, notFound } from './errors.ts'
import { evict } from './eviction.ts'
import { Reader } from './reader.ts'
import { apiVersionOf, keyOf, type Resource } from './resource.ts'
import { Resources } from './resources.ts'
import { checkApplied, patched } from './patch.ts'
import { fields } from './fields.ts'
import { systemClasses } from './kinds/priority-classes.ts'
import { withMetadata } from './metadata.ts'
import { scaleOf, scaled } from './scale.ts'
import type { ApiOptions, EmbeddedApi, Page, PageOptions, PatchOptions, WriteOptions } from './types.ts'
import { isMadeByUpdate } from './updates.ts'
import { Writer } from './writer.ts'

/** Opens an API over an empty store that holds the namespaces which every cluster has. */
export function openApi(options: ApiOptions): EmbeddedApi {
  const report = options.report ?? throwLater
  const store = new Store({ history: options.history ?? 8192, report })
  const api = new Api(store, options)
  for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system'])
    api.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  for (const object of systemClasses) api.create('priorityclasses.scheduling.k8s.io', object)
  return api
}

function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}

const missing = (uid: string): string =>
  `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`

class Api implements EmbeddedApi {
  readonly resources = new Resources()
  readonly #store: Store
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #deletion: Deletion

  constructor(store: Store, options: ApiOptions) {
    this.#store = store
    this.#reader = new Reader(store, this.resources)
    this.#writer = new Writer({ store, resources: this.resources, clock: options.clock, random: options.random })
    this.#deletion = new Deletion(this.#writer)
  }

  get resourceVersion(): string {
    return String(this.#store.version)
  }

  create(resource: string, object: KubeObject, options: WriteOptions = {}): KubeObject {
    return this.#writer.create(this.#reader.resource(resource), object, options)
  }

  get(reference: Reference): KubeObject | undefined {
    return this.#reader.get(reference)
  }

  list(resource: string, options: ListOptions = {}): Page {
    return this.#reader.page(resource, options)
  }

  listPage(resource: string, options: PageOptions = {}): Page {
    return this.#reader.page(resource, options)
  }

  update(id: string, object: KubeObject, subresource?: Subresource, options: WriteOptions = {}): KubeObject {
    const resource = this.#reader.resource(id)
    const { namespace = 'default', name } = object.metadata
    const reference = { resource: id, namespace, name }
    if (subresource === 'scale') return this.#scale(resource, reference, () => object, options)
    if (isMadeByUpdate(resource, subresource) && this.get(reference) === undefined)
      return this.#make(resource, object, options)
    return this.#writer.update(resource, reference, () => object, { ...options, subresource, replaces: true })
  }

  patch(reference: Reference, patch: Json, options: PatchOptions = {}): KubeObject {
    const resource = this.#reader.resource(reference.resource)
    const { type = 'merge', subresource } = options
    const change = (object: KubeObject): KubeObject => patched(resource, object, patch, options)
    if (subresource === 'scale') return this.#scale(resource, reference, change, options)
    if (type === 'apply' && subresource === undefined && this.get(reference) === undefined)
      return this.#applyNew(resource, reference, patch, options)
    options.created?.(false)
    return this.#writer.update(resource, reference, change, { ...options, subresource, patch })
  }

  #applyNew(resource: Resource, reference: Reference, patch: Json, options: PatchOptions): KubeObject {
    checkApplied(resource, fields(patch))
    const object = patch as unknown as KubeObject
    const { name, namespace } = keyOf(resource, reference)
    const { uid } = object.metadata ?? {}
    if (uid) throw conflict(resource, name, missing(uid))
    const metadata = { ...object.metadata, name, ...(namespace === '' ? {} : { namespace }) }
    return this.#make(resource, { ...object, metadata }, options)
  }

  /** Makes what an update or an apply is of; a version that it may name is none of its. */
  #make(resource: Resource, object: KubeObject, options: WriteOptions): KubeObject {
    const made = this.#writer.create(resource, withMetadata(object, { resourceVersion: undefined }), options)
    options.created?.(true)
    return made
  }

  #scale(
    resource: Resource,
    reference: Reference,
    change: (scale: KubeObject) => KubeObject,
    options: WriteOptions
  ): KubeObject {
    const write = (object: KubeObject): KubeObject => scaled(resource, object, change(scaleOf(resource, object)))
    return scaleOf(resource, this.#writer.update(resource, reference, write, options))
  }

  delete(reference: Reference, options: DeleteOptions & { readonly dryRun?: boolean } = {}): KubeObject {
    return this.#deletion.delete(this.#reader.resource(reference.resource), reference, options)
  }

  deleteCollection(
    id: string,
    list: ListOptions = {},
    options: DeleteOptions & { readonly dryRun?: boolean } = {}
  ): readonly KubeObject[] {
    const resource = this.#reader.resource(id)
    return this.list(id, list).items.map(({ metadata: { namespace = '', name } }) =>
      this.#deletion.delete(resource, { resource: id, namespace, name }, options)
    )
  }

  bind(pod: Reference, binding: Binding, options: WriteOptions = {}): void {
    bind(this.#writer, this.#reader.resource(pod.resource), pod, { ...binding, options })
  }

  evict(pod: Reference, options: DeleteOptions & { readonly dryRun?: boolean } = {}): void {
    const [pods, budgets] = [this.#reader.resource('pods'), this.#reader.resource('poddisruptionbudgets.policy')]
    evict({ writer: this.#writer, deletion: this.#deletion, pods, budgets }, pod, options)
  }

  watch(
    resource: string,
    listener: (event: WatchEvent) => void,
    options: ListOptions & { readonly from?: string } = {}
  ): () => void {
    return this.#reader.watch(resource, listener, options)
  }

  scale(reference: Reference): KubeObject | undefined {
    const resource = this.#reader.resource(reference.resource)
    const object = this.get(reference)
    return object === undefined ? undefined : scaleOf(resource, object)
  }

  inVersion(object: KubeObject, resource: Resource, version: string): KubeObject {
    const apiVersion = apiVersionOf(resource, version)
    return object.apiVersion === apiVersion ? object : { ...object, apiVersion }
  }

  notFound(reference: Reference): never {
    throw notFound(this.#reader.resource(reference.resource), reference.name)
  }
}
