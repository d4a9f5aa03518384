import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { timestamp } from '../kinds.ts'
import type { Client } from '../store/client.ts'
import { type Json as ObjectJson, StatusError } from '../store/objects.ts'
import { withCondition } from './conditions.ts'
import type { Failure, Rejection } from './diagnosis.ts'
import type { Entry } from './entry.ts'
import { object, text } from './json.ts'
import type { Log } from './log.ts'
import type { Nominator } from './nominator.ts'
import type { SchedulingQueue } from './queue.ts'
import type { Recorder } from './recorder.ts'
import { type PodView, referenceOf } from './views.ts'

export type FailureParts = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Log
  readonly queue: SchedulingQueue
  readonly nominator: Nominator
  readonly recorder: Recorder
  /** The pod as the watch shows it now. */
  readonly current: (uid: string) => PodView | undefined
}

/** The node to nominate the pod for: '' for none, undefined to leave what stands. */
export type Nomination = string | undefined

/** What happens to a pod that could not be scheduled: back into the queue, and told why (upstream `handleSchedulingFailure`). */
export class Failures {
  readonly #parts: FailureParts

  constructor(parts: FailureParts) {
    this.#parts = parts
  }

  handle(entry: Entry, outcome: Rejection | Failure, nomination: Nomination): void {
    const { queue, nominator, recorder, current, log } = this.#parts
    entry.plugins = new Set(outcome.kind === 'rejected' ? outcome.plugins : [])
    log.debug({ pod: entry.view.pod.name, ...outcome }, 'not scheduled')
    const now = current(entry.uid)
    if (!now || now.pod.nodeName !== undefined) {
      // Gone, or bound although we were told otherwise: nothing to try again.
      queue.done(entry.uid)
      return
    }
    entry.view = now
    queue.putBack(entry)
    nominator.nominate(now, nomination)
    recorder.record(now, { type: 'Warning', reason: 'FailedScheduling', message: outcome.message })
    this.#tell(now, outcome, nomination)
  }

  /** Writes the condition and the nomination, where they are not there already. */
  #tell(view: PodView, outcome: Rejection | Failure, nomination: Nomination): void {
    const { client, clock, log } = this.#parts
    const conditions = withCondition(view.object, {
      type: 'PodScheduled',
      status: 'False',
      reason: outcome.kind === 'rejected' ? 'Unschedulable' : 'SchedulerError',
      message: outcome.message,
      lastTransitionTime: timestamp(clock.wall())
    })
    const nominated = text(object(view.object.status).nominatedNodeName)
    const renominates = nomination !== undefined && nomination !== nominated
    if (!conditions && !renominates) return
    const status: { readonly [key: string]: ObjectJson } = {
      ...(conditions && { conditions }),
      ...(renominates && { nominatedNodeName: nomination || null })
    }
    try {
      client.patch(referenceOf(view.pod), { status }, { type: 'merge', subresource: 'status' })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      log.warn({ pod: view.pod.name }, `could not write the pod's condition: ${reasonOf(error)}`)
    }
  }
}
