import type { DeleteOptions } from '../store/client.ts'
import type { KubeObject, Reference } from '../store/objects.ts'
import { conflict } from './errors.ts'
import { fields } from './fields.ts'
import { leaving, release } from './kinds/definitions.ts'
import { timestamp, withField, withMetadata } from './metadata.ts'
import { countsGenerations, isFinished } from './updates.ts'
import type { Resource } from './resource.ts'
import { strategyOf } from './strategies.ts'
import type { Writer } from './writer.ts'

type Options = DeleteOptions & { readonly dryRun?: boolean }

/** Takes objects out, at once or as soon as finalizers and kubelets let go of them. */
export class Deletion {
  readonly #writer: Writer

  constructor(writer: Writer) {
    this.#writer = writer
  }

  /** The object as it is afterwards, or as it was at its end. */
  delete(resource: Resource, reference: Reference, options: Options = {}): KubeObject {
    const current = this.#writer.current(resource, reference)
    const strategy = strategyOf(resource)
    strategy.deletable(current, { resource })
    checkDeletion(resource, current, options)
    const finalizers = finalizersOf(resource, current, options)
    const grace = resource.id === 'pods' ? graceOf(current, options) : 0
    if (resource.id === 'namespaces') return this.#leave(resource, current, options)
    if (resource.kind === 'CustomResourceDefinition') return this.#withdraw(resource, current, options)
    if (resource.id !== 'pods' && finalizers.length === 0) return this.#remove(resource, current, options)
    return this.#write(resource, current, this.#marked(resource, current, { finalizers, grace }), options)
  }

  #remove(resource: Resource, current: KubeObject, options: Options): KubeObject {
    return options.dryRun ? current : this.#writer.remove(resource, current)
  }

  /** As upstream, a pod that nothing holds is marked first and then taken out: watches see both. */
  #write(resource: Resource, current: KubeObject, marked: KubeObject, options: Options): KubeObject {
    if (options.dryRun || !isFinished(marked)) return this.#writer.write(resource, current, marked, options.dryRun)
    const stored = this.#writer.ground.store.replace(resource.stored, current, marked)
    return this.#writer.remove(resource, stored)
  }

  /** A namespace goes when its controller has emptied it and says so. */
  #leave(resource: Resource, current: KubeObject, options: Options): KubeObject {
    if (current.metadata.deletionTimestamp !== undefined) return current
    const deletionTimestamp = timestamp(this.#writer.ground.clock)
    const leaving = withMetadata(current, { deletionTimestamp })
    const next = withField(leaving, 'status', { ...fields(current['status']), phase: 'Terminating' })
    return this.#writer.write(resource, current, next, options.dryRun)
  }

  /** A definition's objects go first, each as its own finalizers allow. */
  #withdraw(resource: Resource, current: KubeObject, options: Options): KubeObject {
    const { ground } = this.#writer
    const now = timestamp(ground.clock)
    const { deletionTimestamp = now } = current.metadata
    const marked = leaving(withMetadata(current, { deletionTimestamp }), now)
    const stored = this.#writer.write(resource, current, marked, options.dryRun)
    const { name: id } = current.metadata
    const custom = ground.resources.get(id)
    if (options.dryRun || custom === undefined) return stored
    for (const { metadata } of ground.store.table(id).list()) this.delete(custom, { ...metadata, resource: id })
    release(ground, id)
    return stored
  }

  /** A second deletion may shorten the grace, never lengthen it. */
  #marked(resource: Resource, current: KubeObject, { finalizers, grace }: Hold): KubeObject {
    const { clock } = this.#writer.ground
    const before = current.metadata.deletionTimestamp
    const held = withMetadata(current, { finalizers: finalizers.length === 0 ? undefined : finalizers })
    if (before !== undefined && grace >= (current.metadata.deletionGracePeriodSeconds ?? 0)) return held
    // Counted from the first deletion: the end moves as the grace does.
    const begun =
      before === undefined
        ? clock.wall()
        : Date.parse(before) - (current.metadata.deletionGracePeriodSeconds ?? 0) * 1000
    const deletionTimestamp = timestamp({ ...clock, wall: () => begun + grace * 1000 })
    const { generation = 0 } = current.metadata
    const counted = before === undefined && countsGenerations(resource) ? { generation: generation + 1 } : {}
    return withMetadata(held, { ...counted, deletionTimestamp, deletionGracePeriodSeconds: grace })
  }
}

type Hold = { readonly finalizers: readonly string[]; readonly grace: number }

/** Throws where a deletion is meant for another object, or for another state of it. */
export function checkDeletion(resource: Resource, { metadata }: KubeObject, { preconditions }: Options): void {
  const { uid, resourceVersion } = preconditions ?? {}
  const { name } = metadata
  const kind = { ...resource, id: resource.kind, plural: resource.kind }
  if (uid !== undefined && uid !== metadata.uid)
    throw conflict(
      kind,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid ?? ''}). The object might have been deleted and then recreated`
    )
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    throw conflict(
      kind,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion ?? ''}). The object might have been modified`
    )
}

const propagation = new Set(['foregroundDeletion', 'orphan'])

/** For the sake of old clients, what these own stays where nobody says otherwise. */
const orphaning = new Set(['jobs.batch', 'replicationcontrollers'])

/** The policy is written down as a finalizer, which the garbage collector takes away when it has acted on it. */
function finalizersOf({ id }: Resource, { metadata }: KubeObject, options: Options): readonly string[] {
  const finalizers = metadata.finalizers ?? []
  const others = finalizers.filter(name => !propagation.has(name))
  const usual = others.length === finalizers.length && orphaning.has(id) ? 'Orphan' : undefined
  const policy = options.propagationPolicy ?? usual
  if (policy === undefined) return finalizers
  if (policy === 'Background') return others
  return [...others, policy === 'Foreground' ? 'foregroundDeletion' : 'orphan']
}

/** Only a pod that a kubelet has is given time; one that has ended needs none. */
function graceOf(pod: KubeObject, { gracePeriodSeconds }: Options): number {
  const { nodeName, terminationGracePeriodSeconds: own } = fields(pod['spec'])
  const { phase } = fields(pod['status'])
  if (!nodeName || phase === 'Succeeded' || phase === 'Failed') return 0
  const grace = gracePeriodSeconds ?? (typeof own === 'number' ? own : 30)
  return grace < 0 ? 1 : grace
}
