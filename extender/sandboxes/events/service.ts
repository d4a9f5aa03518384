import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type EventsService,
  type WatchEventsResponse,
  WatchEventsResponseSchema
} from '../proto/generated/sandbox/v1/events_pb.js'
import { invalid } from '../refusals.ts'
import type { EventLog, Recorded } from './event-log.ts'
import type { FanOut } from './fan-out.ts'
import type { Readers, Told } from './readers.ts'
import type { DeadLetter, Webhooks } from './webhooks/webhooks.ts'

export type ServiceParts = {
  readonly fanOut: FanOut
  readonly eventLog: EventLog
  readonly readers: Readers
  readonly webhooks: Webhooks
}

export const pageSizes = { usual: 100, most: 1_000 }

/** EventsService over Connect. */
export function eventsService({
  fanOut,
  eventLog,
  readers,
  webhooks
}: ServiceParts): ServiceImpl<typeof EventsService> {
  return {
    async publish({ event }) {
      return { accepted: await fanOut.publish(event) }
    },
    listEvents({ after, pageSize }) {
      if (pageSize < 0) throw invalid('page_size', `page_size: ${pageSize} must not be below 0`)
      const limit = Math.min(pageSize === 0 ? pageSizes.usual : pageSize, pageSizes.most)
      const { events, gap } = eventLog.since(placeOf(after) || eventLog.start, limit)
      return { events: events.map(toProto), gap: gap !== undefined }
    },
    async *watchEvents({ after }, { signal }) {
      for await (const told of readers.follow(placeOf(after), signal)) yield messageOf(told)
      // A client that is still there learns that it is the server that ends.
      signal.throwIfAborted()
    },
    listDeadLetters() {
      return { deadLetters: webhooks.deadLetters.map(letterOf) }
    },
    replayDeadLetters({ url }) {
      return { replayed: webhooks.replay(url) }
    }
  }
}

const toProto = ({ sequence, event }: Recorded): { sequence: bigint; event: Recorded['event'] } => ({
  sequence: BigInt(sequence),
  event
})

function placeOf(after: bigint): number {
  if (after > Number.MAX_SAFE_INTEGER) throw invalid('after', `after: ${after} is no sequence number`)
  return Number(after)
}

function messageOf(told: Told): WatchEventsResponse {
  if (told.kind === 'event') return saying({ case: 'event', value: toProto(told.recorded) })
  if (told.kind === 'gap') return saying({ case: 'gap', value: { next: BigInt(told.next) } })
  return saying({ case: 'heartbeat', value: {} })
}

const saying = (message: NonNullable<MessageInitShape<typeof WatchEventsResponseSchema>['message']>) =>
  create(WatchEventsResponseSchema, { message })

function letterOf({ url, delivery: { id, attempts, error, since } }: DeadLetter) {
  return { url, eventId: id, attempts, lastError: error, since: timestampFromMs(since) }
}
