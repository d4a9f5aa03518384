import { create, toJson } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { pause, type Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { type Event, EventSchema, EventType } from '../proto/generated/sandbox/v1/events_pb.js'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { Claim } from './claim.ts'
import type { SandboxMetrics } from './metrics.ts'
import type { Kubernetes, Log, Publisher, Settings } from './ports.ts'

export type OutboxParts = {
  readonly publisher: Publisher
  readonly kubernetes: Pick<Kubernetes, 'note'>
  readonly metrics: SandboxMetrics
  readonly clock: Clock
  readonly log: Log
  readonly settings: Pick<Settings, 'holdMs' | 'cluster' | 'namespace'>
  /** Aborted when the service ends: what is not out yet is left to the next one. */
  readonly ending: AbortSignal
}

/** Gets the news of an end out. The claim is kept until then, but not for ever: the publisher then goes on alone. */
export class Outbox {
  readonly #parts: OutboxParts

  constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  /** True once the event is durable, or not waited for any more; false where the service ends before. */
  async deliver(claim: Claim, sandbox: Sandbox): Promise<boolean> {
    const { clock, settings, ending } = this.#parts
    const event = this.#eventOf(claim, sandbox)
    const done = new AbortController()
    const seconds = settings.holdMs / 1000
    const late = pause(clock, settings.holdMs, AbortSignal.any([ending, done.signal])).then(
      () => `the events service did not take it in within ${seconds} s; it is offered on while this process lives`
    )
    const problem = await Promise.race([this.#publish(event), late])
    done.abort()
    if (problem === undefined) return true
    return ending.aborted ? false : this.#giveUp(claim, event, problem)
  }

  /** What went wrong; undefined where nothing did. */
  async #publish(event: Event): Promise<string | undefined> {
    const { publisher, metrics } = this.#parts
    try {
      await publisher.publish(event)
      metrics.publications.inc({ result: 'done' })
      return undefined
    } catch (error) {
      metrics.publications.inc({ result: 'failed' })
      return reasonOf(error)
    }
  }

  #giveUp({ id, uid }: Claim, event: Event, problem: string): true {
    const { log, kubernetes, metrics } = this.#parts
    metrics.publications.inc({ result: 'dead_letter' })
    log.error(
      { event: toJson(EventSchema, event), problem },
      'dead letter: the end of a sandbox could not be published'
    )
    const note = `nobody took in that this sandbox has ended: ${problem}`
    kubernetes.note({ service: { name: id, uid }, type: 'Warning', reason: 'EventUndelivered', note })
    return true
  }

  #eventOf({ id, uid, projectId, traceparent, ended }: Claim, sandbox: Sandbox): Event {
    const { cluster, namespace } = this.#parts.settings
    return create(EventSchema, {
      id: `${uid}.terminated`,
      source: `/clusters/${cluster}/namespaces/${namespace}`,
      type: 'sandbox.terminated.v1',
      subject: id,
      time: timestampFromMs(ended?.at ?? 0),
      traceparent,
      partitionKey: projectId,
      eventType: EventType.TERMINATED,
      sandbox
    })
  }
}
