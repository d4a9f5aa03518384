import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { EventsService } from '../proto/generated/sandbox/v1/events_pb.js'
import { endOf, timeOf } from './words.ts'

/** One sandbox has ended. */
export type Termination = { readonly uid: string; readonly line: string }

/** What the events service at that address tells from now on, until the signal is given. */
export async function* terminations(url: string, signal: AbortSignal): AsyncIterable<Termination> {
  const client = createClient(EventsService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }))
  for await (const { message } of client.watchEvents({}, { signal })) {
    const { sandbox, time } = (message.case === 'event' && message.value.event) || {}
    if (sandbox) yield { uid: sandbox.uid, line: `${endOf(sandbox)}: ${sandbox.id}, ${timeOf(time)}` }
  }
}
