import { isLeaving, keyOf, referenceTo } from '../kinds.ts'
import type { KubeObject, OwnerReference, Reference } from '../store/objects.ts'
import type { Shared } from './controller.ts'
import type { Controller, Looks } from './controller.ts'
import { type Catalogue, type Kind, openCatalogue } from './catalogue.ts'

type Entry = { readonly kind: Kind; readonly object: KubeObject }

/** What the collector knows: who is there, and who names whom as an owner. */
class Graph {
  readonly #entries = new Map<string, Entry>()
  readonly #dependents = new Map<string, Set<string>>()

  put(key: string, entry: Entry): void {
    const before = this.#entries.get(key)?.object
    this.#entries.set(key, entry)
    if (before?.metadata.ownerReferences === entry.object.metadata.ownerReferences && before !== undefined) return
    this.#unlink(key, before)
    for (const { uid } of entry.object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(uid) ?? new Set()
      this.#dependents.set(uid, dependents.add(key))
    }
  }

  remove(key: string): void {
    this.#unlink(key, this.#entries.get(key)?.object)
    this.#entries.delete(key)
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  keys(): Iterable<string> {
    return this.#entries.keys()
  }

  dependentsOf(uid: string): readonly string[] {
    return [...(this.#dependents.get(uid) ?? [])]
  }

  #unlink(key: string, object: KubeObject | undefined): void {
    for (const { uid } of object?.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(uid)
      dependents?.delete(key)
      if (dependents?.size === 0) this.#dependents.delete(uid)
    }
  }
}

const foreground = 'foregroundDeletion'
const orphan = 'orphan'

/** Deletes what belongs to nobody any more, and lets owners go in the order that was asked for. */
export function openGarbageCollector(shared: Shared, looks: Looks): Controller {
  const graph = new Graph()
  const catalogue: Catalogue = openCatalogue(shared.client, (kind, { type, object }) => {
    const key = `${kind.resource} ${keyOf(object)}`
    if (type !== 'DELETED') graph.put(key, { kind, object })
    else graph.remove(key)
    const uid = object.metadata.uid ?? ''
    if (type === 'DELETED' || isLeaving(object)) for (const dependent of graph.dependentsOf(uid)) looks.add(dependent)
    if (type !== 'DELETED' && concerns(object)) looks.add(key)
    if (type === 'DELETED') for (const owner of ownersOf(graph, catalogue, object)) looks.add(owner)
  })
  return {
    name: 'garbage-collector',
    stop: () => catalogue.stop(),
    *keys() {
      for (const key of graph.keys()) {
        const entry = graph.get(key)
        if (entry !== undefined && concerns(entry.object)) yield key
      }
    },
    reconcile(key) {
      const entry = graph.get(key)
      if (entry !== undefined) look({ shared, graph, catalogue }, entry)
    }
  }
}

type Parts = { readonly shared: Shared; readonly graph: Graph; readonly catalogue: Catalogue }

const holds = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) === true

/** Whether there is anything to decide about an object. */
function concerns(object: KubeObject): boolean {
  if ((object.metadata.ownerReferences?.length ?? 0) > 0) return true
  return isLeaving(object) && (holds(object, foreground) || holds(object, orphan))
}

/** The keys of the owners of an object that wait for it to go. */
function ownersOf(graph: Graph, catalogue: Catalogue, { metadata }: KubeObject): readonly string[] {
  return (metadata.ownerReferences ?? []).flatMap(owner => {
    const key = catalogue.keyOf(owner, metadata.namespace)
    const entry = key === undefined ? undefined : graph.get(key)
    return key !== undefined && entry !== undefined && isLeaving(entry.object) ? [key] : []
  })
}

function look(parts: Parts, { kind, object }: Entry): void {
  const reference = referenceTo(kind.resource, object)
  if (isLeaving(object) && holds(object, orphan)) {
    for (const key of parts.graph.dependentsOf(object.metadata.uid ?? '')) disown(parts, key, object)
    dropFinalizer(parts, reference, object, orphan)
    return
  }
  if (isLeaving(object) && holds(object, foreground)) {
    if (!deleteDependents(parts, object)) dropFinalizer(parts, reference, object, foreground)
    return
  }
  if (!isLeaving(object)) collect(parts, reference, object)
}

function disown({ shared, graph }: Parts, key: string, owner: KubeObject): void {
  const entry = graph.get(key)
  if (entry === undefined) return
  const ownerReferences = (entry.object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid)
  shared.client.patch(
    referenceTo(entry.kind.resource, entry.object),
    { metadata: { ownerReferences } },
    { type: 'merge' }
  )
}

/** Whether dependents are left that the owner has to wait for. */
function deleteDependents({ shared, graph }: Parts, owner: KubeObject): boolean {
  let waiting = false
  for (const key of graph.dependentsOf(owner.metadata.uid ?? '')) {
    const entry = graph.get(key)
    if (entry === undefined) continue
    const reference = entry.object.metadata.ownerReferences?.find(({ uid }) => uid === owner.metadata.uid)
    if (!isLeaving(entry.object)) deleteOne(shared, entry, 'Foreground', graph)
    if (reference?.blockOwnerDeletion === true && graph.get(key) !== undefined) waiting = true
  }
  return waiting
}

/** What nobody depends on need not wait for anybody: that saves it a finalizer. */
function deleteOne(shared: Shared, { kind, object }: Entry, policy: 'Foreground' | 'Background', graph: Graph): void {
  const { uid = '' } = object.metadata
  const propagationPolicy = graph.dependentsOf(uid).length === 0 ? 'Background' : policy
  shared.client.delete(referenceTo(kind.resource, object), { propagationPolicy, preconditions: { uid } })
}

function dropFinalizer({ shared }: Parts, reference: Reference, object: KubeObject, name: string): void {
  const now = shared.client.get(reference)
  if (now === undefined || now.metadata.uid !== object.metadata.uid) return
  const finalizers = (now.metadata.finalizers ?? []).filter(finalizer => finalizer !== name)
  shared.client.patch(reference, { metadata: { finalizers } }, { type: 'merge' })
}

/** An object whose owners are all gone goes; one that has some left forgets the others. */
function collect(parts: Parts, reference: Reference, object: KubeObject): void {
  const owners = object.metadata.ownerReferences ?? []
  const gone = owners.filter(owner => isGone(parts, owner, object.metadata.namespace))
  if (owners.length === 0 || gone.length === 0) return
  const { client } = parts.shared
  if (gone.length === owners.length) {
    const uid = object.metadata.uid ?? ''
    const policy = holds(object, orphan) ? 'Orphan' : 'Background'
    client.delete(reference, { propagationPolicy: policy, preconditions: { uid } })
    return
  }
  const ownerReferences = owners.filter(owner => !gone.includes(owner))
  client.patch(reference, { metadata: { ownerReferences } }, { type: 'merge' })
}

/** Of a kind that the collector cannot see, every owner counts as there. */
function isGone({ graph, catalogue }: Parts, owner: OwnerReference, namespace: string | undefined): boolean {
  const key = catalogue.keyOf(owner, namespace)
  return key !== undefined && graph.get(key)?.object.metadata.uid !== owner.uid
}
