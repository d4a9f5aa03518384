import type { DeleteOptions } from '../store/client.ts'
import type { KubeObject, Reference } from '../store/objects.ts'
import { conflict } from './errors.ts'
import { at, text } from './fields.ts'
import { timestamp, withMetadata } from './metadata.ts'
import type { Resource } from './resources.ts'
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
    checkPreconditions(resource, current, options)
    const finalizers = finalizersOf(resource, current, options)
    const grace = graceOf(resource, current, options)
    if (finalizers.length === 0 && grace === 0) return this.#remove(resource, current, options)
    const marked = this.#marked(current, finalizers, grace)
    return this.#writer.write(resource, current, marked, options.dryRun)
  }

  #remove(resource: Resource, current: KubeObject, options: Options): KubeObject {
    if (options.dryRun) return current
    const { store } = this.#writer.ground
    const gone = store.remove(resource.stored, current)
    strategyOf(resource).removed(gone, this.#writer.ground)
    return gone
  }

  /** A second deletion may shorten the grace, never lengthen it. */
  #marked(current: KubeObject, finalizers: readonly string[], grace: number): KubeObject {
    const { clock } = this.#writer.ground
    const before = current.metadata.deletionTimestamp
    const held = current.metadata.deletionGracePeriodSeconds ?? 0
    const kept = finalizers.length === 0 ? {} : { finalizers }
    if (before !== undefined && grace >= held) return withMetadata(current, kept)
    const end = { now: clock.now, after: clock.after, wall: () => clock.wall() + grace * 1000 }
    const { generation } = current.metadata
    const counted = before === undefined && generation !== undefined ? { generation: generation + 1 } : {}
    return withMetadata(current, {
      ...kept,
      ...counted,
      deletionTimestamp: timestamp(end),
      deletionGracePeriodSeconds: grace
    })
  }
}

function checkPreconditions(resource: Resource, { metadata }: KubeObject, { preconditions }: Options): void {
  const { uid, resourceVersion } = preconditions ?? {}
  if (uid !== undefined && uid !== metadata.uid)
    throw conflict(
      resource,
      metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`
    )
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    throw conflict(
      resource,
      metadata.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`
    )
}

const propagation = new Set(['foregroundDeletion', 'orphan'])

/** The policy is written down as a finalizer, which the garbage collector takes away when it has acted on it. */
function finalizersOf(resource: Resource, { metadata }: KubeObject, { propagationPolicy }: Options): readonly string[] {
  const finalizers = metadata.finalizers ?? []
  if (propagationPolicy === undefined) return withNamespaceHold(resource, finalizers)
  const others = finalizers.filter(name => !propagation.has(name))
  if (propagationPolicy === 'Foreground') return [...others, 'foregroundDeletion']
  return withNamespaceHold(resource, propagationPolicy === 'Orphan' ? [...others, 'orphan'] : others)
}

const withNamespaceHold = (_resource: Resource, finalizers: readonly string[]): readonly string[] => finalizers

/** Only a pod that a kubelet has, or may have, is given time. */
function graceOf(resource: Resource, object: KubeObject, { gracePeriodSeconds }: Options): number {
  if (resource.id !== 'pods' || text(at(object, 'spec', 'nodeName')) === undefined) return 0
  const phase = at(object, 'status', 'phase')
  if (phase === 'Succeeded' || phase === 'Failed') return 0
  const own = at(object, 'spec', 'terminationGracePeriodSeconds')
  const grace = gracePeriodSeconds ?? (typeof own === 'number' ? own : 30)
  return grace < 0 ? 1 : grace
}
