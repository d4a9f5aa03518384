import type { Client } from '@connectrpc/connect'
import type { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'

/** Who makes sandboxes, and hears that they are used: the scheduler of a cluster, or the front door of several. */
export type Scheduler = Pick<Client<typeof SchedulerService>, 'createSandbox' | 'getSandbox' | 'touchSandbox'>
