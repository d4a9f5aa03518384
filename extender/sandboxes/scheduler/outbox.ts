import { create, toJson } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Clock, Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { type Event, EventSchema, EventType } from '../proto/generated/sandbox/v1/events_pb.js'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { Claim } from './claim.ts'
import type { SandboxMetrics } from './metrics.ts'
import { pause } from './pause.ts'
import type { Kubernetes, Log, Publisher, Settings } from './ports.ts'

export type OutboxParts = {
  readonly publisher: Publisher
  readonly kubernetes: Pick<Kubernetes, 'note'>
  readonly metrics: SandboxMetrics
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: Pick<Settings, 'holdMs' | 'cluster' | 'namespace'>
  /** Aborted when the service ends: what is not out yet is left to the next one. */
  readonly ending: AbortSignal
}

const firstMs = 100
const longestMs = 30_000

/** Gets the news of an end out. The claim is kept until then, but not for ever. */
export class Outbox {
  readonly #parts: OutboxParts

  constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  /** True once the event is durable, or given up; false where the service ends before. */
  async deliver(claim: Claim, sandbox: Sandbox): Promise<boolean> {
    const { clock, random, settings, ending } = this.#parts
    const event = this.#eventOf(claim, sandbox)
    const until = clock.now() + settings.holdMs
    for (let attempt = 0; !ending.aborted; attempt++) {
      const problem = await this.#publish(event)
      if (problem === undefined) return true
      if (clock.now() >= until) return this.#giveUp(claim, event, problem)
      const most = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 20), until - clock.now())
      await pause(clock, Math.max(1, random() * most), ending)
    }
    return false
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
