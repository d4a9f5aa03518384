import type { KubeObject, Reference } from '../store/objects.ts'
import { settle } from '../store/settle.ts'
import { decode } from './decode.ts'
import { alreadyExists, notFound, type Problem, refuse, refuseNew } from './errors.ts'
import { outOf } from './events.ts'
import { newMetadata, withField, withMetadata } from './metadata.ts'
import { checkMetadata, checkMetadataChange } from './metadata-rules.ts'
import { checkNamespace } from './namespaces.ts'
import { refusePatch } from './patch.ts'
import { keyOf, type Resource } from './resource.ts'
import { strategyOf } from './strategies.ts'
import type { Asked, Ground, UpdateOptions } from './strategy.ts'
import type { WriteOptions } from './types.ts'
import { bumped, checkPreconditions, countsGenerations, isFinished, kept, startsBare } from './updates.ts'

/** Creates and changes objects by the rules of their resource. */
export class Writer {
  readonly ground: Ground

  constructor(ground: Ground) {
    this.ground = ground
  }

  create(resource: Resource, given: KubeObject, options: WriteOptions = {}): KubeObject {
    const { store } = this.ground
    const strategy = strategyOf(resource)
    const object = this.#complete(resource, decode(resource, given, options), options)
    const { namespace = '', name } = object.metadata
    if (resource.namespaced) checkNamespace(store, resource, object)
    const problems = [...checkMetadata(resource, object), ...strategy.validate(object, undefined, whole(resource))]
    refuse(resource, name, problems)
    const other = store.table(resource.stored).get(namespace, name)
    if (other !== undefined) throw alreadyExists(resource, other)
    if (options.dryRun) return outOf(resource)(settle(undefined, object) as KubeObject)
    const stored = store.add(resource.stored, object)
    strategy.stored(stored, this.ground)
    return outOf(resource)(stored)
  }

  /** A new object with what the server adds to it. */
  #complete(resource: Resource, decoded: KubeObject, options: WriteOptions): KubeObject {
    refuseNew(decoded)
    const { namespace = 'default' } = decoded.metadata
    const place = resource.namespaced ? namespace : undefined
    const table = this.ground.store.table(resource.stored)
    const named = newMetadata(decoded, this.ground, name => table.get(place ?? '', name) !== undefined)
    const placed = withMetadata(named, {
      namespace: place,
      generation: countsGenerations(resource) ? 1 : undefined
    })
    const bare = startsBare(resource) ? withField(placed, 'status', undefined) : placed
    return strategyOf(resource).create(bare, { ...this.ground, resource, options })
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
    const wanted = read(resource, change(out(current)), options)
    return out(this.write(resource, current, this.#admit(resource, current, wanted, options), options.dryRun))
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
    if (dryRun) return settle(current, next) as KubeObject
    if (isFinished(next) && !strategyOf(resource).holds(next)) return this.remove(resource, current, next)
    const stored = this.ground.store.replace(resource.stored, current, next)
    if (stored !== current) strategyOf(resource).stored(stored, this.ground)
    return stored
  }

  /** Takes an object out of the store; `last` is how watches see it go. */
  remove(resource: Resource, current: KubeObject, last: KubeObject = current): KubeObject {
    const gone = this.ground.store.remove(resource.stored, current, last)
    strategyOf(resource).removed(gone, this.ground)
    return gone
  }

  #admit(resource: Resource, current: KubeObject, wanted: KubeObject, options: UpdateOptions): KubeObject {
    const strategy = strategyOf(resource)
    checkPreconditions(resource, current, wanted, options)
    const part = kept(resource, current, wanted, options.subresource)
    const next = strategy.update(part, current, { ...this.ground, resource, options })
    const problems: Problem[] = [
      ...checkMetadata(resource, next),
      ...checkMetadataChange(current, wanted),
      ...strategy.validate(next, current, { resource, subresource: options.subresource })
    ]
    refuse(resource, current.metadata.name, problems)
    return countsGenerations(resource) && options.subresource !== 'status' ? bumped(resource, current, next) : next
  }
}

function read(resource: Resource, object: KubeObject, options: UpdateOptions): KubeObject {
  if (options.patch === undefined) return decode(resource, object, options)
  try {
    return decode(resource, object, options)
  } catch (error) {
    return refusePatch(error, options.patch)
  }
}

const whole = (resource: Resource): Asked => ({ resource, subresource: undefined })
