import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Client } from '../store/client.ts'
import { timestamp } from '../kinds.ts'
import { StatusError } from '../store/objects.ts'
import { withCondition } from './conditions.ts'
import type { Log } from './log.ts'
import type { Nominator } from './nominator.ts'
import type { Recorder } from './recorder.ts'
import { type PodView, referenceOf } from './views.ts'

export type EvictorParts = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Log
  readonly nominator: Nominator
  readonly recorder: Recorder
}

/** Makes the room that preemption has found: marks the victims and deletes them (not the Eviction API, as upstream). */
export class Evictor {
  readonly #parts: EvictorParts

  constructor(parts: EvictorParts) {
    this.#parts = parts
  }

  evict(preemptor: PodView, node: string, victims: readonly PodView[]): void {
    this.#clearLower(preemptor, node)
    for (const victim of victims) if (!victim.pod.terminating) this.#evictOne(preemptor, node, victim)
  }

  #evictOne(preemptor: PodView, node: string, victim: PodView): void {
    const { client, clock, recorder, log } = this.#parts
    const reference = referenceOf(victim.pod)
    try {
      const now = client.get(reference)
      if (now?.metadata.uid !== victim.pod.uid) return
      const conditions = withCondition(now, {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `${preemptor.pod.schedulerName}: preempting to accommodate a higher priority pod`,
        lastTransitionTime: timestamp(clock.wall())
      })
      if (conditions) client.patch(reference, { status: { conditions } }, { type: 'merge', subresource: 'status' })
      client.delete(reference, { preconditions: { uid: victim.pod.uid } })
      const message = `Preempted by pod ${preemptor.pod.uid} on node ${node}`
      recorder.record(victim, { type: 'Normal', reason: 'Preempted', message })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      log.warn({ pod: victim.pod.name, node }, `could not evict: ${reasonOf(error)}`)
    }
  }

  /** Lesser pods that are nominated there may not fit any more; without a nomination they look elsewhere sooner. */
  #clearLower({ pod }: PodView, node: string): void {
    for (const other of this.#parts.nominator.on(node)) {
      if (other.pod.priority >= pod.priority) continue
      try {
        const patch = { status: { nominatedNodeName: null } }
        this.#parts.client.patch(referenceOf(other.pod), patch, { type: 'merge', subresource: 'status' })
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
      }
    }
  }
}
