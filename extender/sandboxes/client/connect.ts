import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'

/** Asks the scheduler of a cluster, or the front door of several, at an address such as `http://127.0.0.1:50051`. */
export function schedulerAt(url: string): Client<typeof SchedulerService> {
  return createClient(SchedulerService, createConnectTransport({ baseUrl: url, httpVersion: '1.1' }))
}
