import type { Clock } from '../../clock.ts'
import { timestamp, uidOf } from '../kinds.ts'
import type { Client } from '../store/client.ts'
import { type KubeObject, StatusError } from '../store/objects.ts'
import { hashOf } from './hash.ts'

/** What happened to an object, for people who describe it. */
export type Happening = {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** Writes core/v1 Events; one that says the same again counts up. */
export class EventRecorder {
  readonly #client: Client
  readonly #clock: Clock
  readonly #component: string

  constructor(client: Client, clock: Clock, component: string) {
    this.#client = client
    this.#clock = clock
    this.#component = component
  }

  /** An event that cannot be written is no reason to stop. */
  record(object: KubeObject, happening: Happening): void {
    try {
      this.#write(object, happening)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
    }
  }

  /** Whether this has been told of the object already. */
  has(object: KubeObject, happening: Happening): boolean {
    const { namespace = 'default' } = object.metadata
    return this.#client.get({ resource: 'events', namespace, name: nameOf(object, happening) }) !== undefined
  }

  #write(object: KubeObject, happening: Happening): void {
    const { namespace = 'default' } = object.metadata
    const name = nameOf(object, happening)
    const now = timestamp(this.#clock.wall())
    const known = this.#client.get({ resource: 'events', namespace, name })
    if (known !== undefined) {
      const count = Number(known['count'] ?? 1) + 1
      this.#client.patch({ resource: 'events', namespace, name }, { count, lastTimestamp: now }, { type: 'merge' })
      return
    }
    this.#client.create('events', {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: involved(object),
      ...happening,
      source: { component: this.#component },
      reportingComponent: this.#component,
      reportingInstance: '',
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1
    })
  }
}

function nameOf(object: KubeObject, { reason, message }: Happening): string {
  return `${object.metadata.name}.${hashOf([uidOf(object), reason, message])}`
}

function involved({ apiVersion, kind, metadata }: KubeObject): Readonly<Record<string, unknown>> {
  const { name, namespace, uid, resourceVersion } = metadata
  return { apiVersion, kind, name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) }
}
