import { Code } from '@connectrpc/connect'
import { reasonOf } from '../../errors.ts'
import type { Event } from '../proto/generated/sandbox/v1/events_pb.js'
import { refusal } from '../refusals.ts'
import type { CloudEvent } from './cloud-event.ts'
import type { EventLog } from './event-log.ts'
import { accepted } from './event-rules.ts'
import type { Hooks } from './hooks.ts'
import type { Log } from './log.ts'
import type { EventMetrics } from './metrics.ts'
import type { EventStore } from './store.ts'
import type { Webhooks } from './webhooks/webhooks.ts'

type Parts = {
  readonly store: EventStore
  readonly eventLog: EventLog
  readonly webhooks: Webhooks
  readonly hooks: Hooks
  readonly log: Log
  readonly metrics: EventMetrics
}

/** From one event to all who want to know; whoever publishes knows none of them. */
export class FanOut {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Durable once it resolves; false where the event was known already, and is not told again. */
  async publish(given: Event | undefined): Promise<boolean> {
    const { published } = this.#parts.metrics
    const { event, cloudEvent } = this.#checked(given)
    const body = JSON.stringify(cloudEvent)
    const sequence = await this.#recorded(cloudEvent, body)
    if (sequence === undefined) {
      published.inc({ result: 'duplicate' })
      return false
    }
    published.inc({ result: 'accepted' })
    this.#tell(sequence, event, cloudEvent, body)
    return true
  }

  #checked(given: Event | undefined): ReturnType<typeof accepted> {
    try {
      return accepted(given)
    } catch (error) {
      this.#parts.metrics.published.inc({ result: 'refused' })
      throw error
    }
  }

  async #recorded({ source, id }: CloudEvent, body: string): Promise<number | undefined> {
    const { store, webhooks, metrics, log } = this.#parts
    try {
      return await store.record({ key: `${source} ${id}`, id, body }, webhooks.urls)
    } catch (error) {
      metrics.published.inc({ result: 'failed' })
      log.error({ event: id }, `an event could not be recorded: ${reasonOf(error)}`)
      const text = 'the store of events does not answer; send the event again'
      throw refusal(Code.Unavailable, 'events_store_unavailable', text, { retryAfterMs: 1_000 })
    }
  }

  #tell(sequence: number, event: Event, cloudEvent: CloudEvent, body: string): void {
    const { eventLog, webhooks, hooks, log } = this.#parts
    log.info({ sequence, event: cloudEvent }, 'a sandbox has ended')
    eventLog.append({ sequence, event, body })
    webhooks.offer(sequence, event.id, body)
    hooks.run(body)
  }
}
