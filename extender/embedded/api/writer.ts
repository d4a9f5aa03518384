import type { Subresource } from '../store/client.ts'
import type { KubeObject, Reference } from '../store/objects.ts'
import { settle } from '../store/settle.ts'
import type { Store } from '../store/store.ts'
import { alreadyExists, badRequest, conflict, modified, notFound, type Problem, refuse } from './errors.ts'
import { equal, isFields } from './fields.ts'
import { newMetadata, type Sources, withField, withMetadata } from './metadata.ts'
import { checkMetadata, checkMetadataChange } from './metadata-rules.ts'
import { checkNamespace } from './namespaces.ts'
import { intoOf, outOf } from './reader.ts'
import { apiVersionOf, groupVersion, keyOf, type Resource, type Resources } from './resources.ts'
import { strategyOf } from './strategies.ts'
import type { WriteOptions } from './types.ts'

/** What all writes share. */
export type Ground = Sources & { readonly store: Store; readonly resources: Resources }

/** How one object is changed. */
export type UpdateOptions = WriteOptions & {
  readonly subresource?: Subresource | undefined
  /** A PUT: what it does not say is taken out, and its uid is a precondition. */
  readonly replaces?: boolean
  /** Takes the change as it is: it comes from the API itself (binding, deletion). */
  readonly internal?: boolean
}

/** Creates and changes objects by the rules of their resource. */
export class Writer {
  readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  create(resource: Resource, given: KubeObject, options: WriteOptions = {}): KubeObject {
    const { store } = this.ground
    const strategy = strategyOf(resource)
    const named = newMetadata(intoOf(resource)(typed(resource, given)), this.ground)
    const placed = withMetadata(named, {
      namespace: resource.namespaced ? (named.metadata.namespace ?? 'default') : undefined
    })
    const object = strategy.create(placed, { ...this.ground, resource, options })
    const { namespace = '', name } = object.metadata
    refuse(resource, name, [...checkMetadata(resource, object), ...strategy.validate(object, undefined)])
    if (resource.namespaced) checkNamespace(store, resource, object)
    if (store.table(resource.stored).get(namespace, name) !== undefined) throw alreadyExists(resource, name)
    const stored = options.dryRun ? (settle(undefined, object) as KubeObject) : store.add(resource.stored, object)
    if (!options.dryRun) strategy.stored(stored, this.ground)
    return outOf(resource)(stored)
  }

  /** Reads, changes and writes in one go; the answer is the object as it is afterwards. */
  update(
    resource: Resource,
    reference: Reference,
    change: (object: KubeObject) => KubeObject,
    options: UpdateOptions = {}
  ): KubeObject {
    const current = this.current(resource, reference)
    const out = outOf(resource)
    const wanted = intoOf(resource)(typed(resource, change(out(current)), current))
    const next = options.internal ? wanted : this.#admit(resource, current, wanted, options)
    return out(this.write(resource, current, next, options.dryRun))
  }

  /** Throws a 404 where there is no such object. */
  current(resource: Resource, reference: Reference): KubeObject {
    const { namespace, name } = keyOf(resource, reference)
    const current = this.ground.store.table(resource.stored).get(namespace, name)
    if (current === undefined) throw notFound(resource, name)
    return current
  }

  /** Stores a change that is in order; an object on its way out goes when nothing holds it any more. */
  write(resource: Resource, current: KubeObject, next: KubeObject, dryRun = false): KubeObject {
    const { store } = this.ground
    if (dryRun) return settle(current, next) as KubeObject
    if (isFinished(next)) {
      const gone = store.remove(resource.stored, current, next)
      strategyOf(resource).removed(gone, this.ground)
      return gone
    }
    const stored = store.replace(resource.stored, current, next)
    if (stored !== current) strategyOf(resource).stored(stored, this.ground)
    return stored
  }

  #admit(resource: Resource, current: KubeObject, wanted: KubeObject, options: UpdateOptions): KubeObject {
    const strategy = strategyOf(resource)
    checkPreconditions(resource, current, wanted, options)
    const kept = keepMetadata(current, wanted, options)
    const part = options.subresource === 'status' ? statusOnly(current, kept) : specOnly(resource, current, kept)
    const next = strategy.update(part, current, { ...this.ground, resource, options })
    const problems: Problem[] = [
      ...checkMetadata(resource, next),
      ...checkMetadataChange(current, wanted),
      ...strategy.validate(next, current, options.subresource)
    ]
    refuse(resource, current.metadata.name, problems)
    return bumped(current, next)
  }
}

/** The object with its type, which may be left out; throws where it says another. */
function typed(resource: Resource, object: KubeObject, current?: KubeObject): KubeObject {
  if (!isFields(object) || !isFields(object.metadata ?? {})) throw badRequest('the object has no metadata')
  const { apiVersion = current?.apiVersion ?? apiVersionOf(resource), kind = resource.kind } =
    object as Partial<KubeObject>
  const { group, version } = groupVersion(apiVersion)
  if (group !== resource.group || !resource.versions.includes(version))
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(resource)})`
    )
  if (kind !== resource.kind)
    throw badRequest(`the kind in the data (${kind}) does not match the expected kind (${resource.kind})`)
  return { ...object, apiVersion: apiVersionOf(resource), kind, metadata: object.metadata ?? {} }
}

function checkPreconditions(resource: Resource, current: KubeObject, wanted: KubeObject, options: UpdateOptions): void {
  const { name, uid, resourceVersion } = current.metadata
  if (wanted.metadata.name !== name)
    throw badRequest(`the name of the object (${wanted.metadata.name}) does not match the name on the URL (${name})`)
  if (options.replaces && wanted.metadata.uid && wanted.metadata.uid !== uid)
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${wanted.metadata.uid}, UID in object meta: ${uid}`
    )
  const version = wanted.metadata.resourceVersion
  if (version && version !== resourceVersion) throw conflict(resource, name, modified)
}

/** What a writer cannot change, and what a PUT need not repeat. */
function keepMetadata(current: KubeObject, wanted: KubeObject, options: UpdateOptions): KubeObject {
  const {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    namespace,
    resourceVersion
  } = current.metadata
  const labelled = options.subresource === 'status' && options.replaces ? wanted.metadata : wanted.metadata
  const server = {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    namespace,
    resourceVersion
  }
  return withMetadata({ ...wanted, metadata: labelled }, server)
}

function statusOnly(current: KubeObject, wanted: KubeObject): KubeObject {
  return withField({ ...current, metadata: wanted.metadata }, 'status', wanted['status'])
}

function specOnly(resource: Resource, current: KubeObject, wanted: KubeObject): KubeObject {
  return resource.subresources.includes('status') ? withField(wanted, 'status', current['status']) : wanted
}

/** `generation` counts the changes of what is wanted: of everything but metadata and status. */
function bumped(current: KubeObject, next: KubeObject): KubeObject {
  const { generation } = current.metadata
  if (generation === undefined) return next
  const { metadata: _was, status: _before, ...old } = current
  const { metadata: _is, status: _after, ...young } = next
  return equal(old, young) ? next : withMetadata(next, { generation: generation + 1 })
}

/** Nothing holds it: no finalizer and no kubelet's grace period. */
function isFinished({ metadata }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers?.length ?? 0) > 0) return false
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0
}
