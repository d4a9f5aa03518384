import type { ConnectError } from '@connectrpc/connect'
import type { Cluster } from '../../../policies/clusters.ts'
import { type GlobalOptions, startGlobal } from '../../../extender/sandboxes/global/serve.ts'
import { PlacementService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/placement_pb.js'
import { SchedulerService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { clientOf, recordingLog } from '../serve.ts'
import type { FakeCluster } from './fake-cluster.ts'

export type Said = Partial<Omit<Cluster, 'name'>>
type More = Partial<Omit<GlobalOptions, 'settings'>> & {
  readonly failoverAfterMs?: number
  readonly clock?: ManualClock
}

/** An entry for a cluster, of priority 0 and weight 1 but for what a test says. */
export const entryOf = ({ name, url }: FakeCluster, said: Said = {}) => ({
  endpoint: url,
  cluster: { name, priority: 0, weight: 1, labels: new Map<string, string>(), state: 'active' as const, ...said }
})

/** A front door over clusters, with time that moves only when the test says so. */
export async function frontDoor(t: Test, entries: readonly ReturnType<typeof entryOf>[], more: More = {}) {
  const { log, lines } = recordingLog()
  const { clock = new ManualClock(), failoverAfterMs = 300_000, ...options } = more
  const registry = new Registry()
  const settings = { clusters: entries, strategy: 'rendezvous' as const, failoverAfterMs }
  const server = await startGlobal({ settings, log, registry, clock, ...options })
  t.teardown(() => server.close())
  const { client, ask } = clientOf(server.url)
  const metric = async (name: string) =>
    (await registry.metrics()).split('\n').filter(line => line.startsWith(name) && !line.endsWith(' 0'))
  const [sandboxes, placements] = [client(SchedulerService), client(PlacementService)]
  return { server, sandboxes, placements, ask, clock, lines, metric }
}

/** The refusal that a call ends with. */
export const refused = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => {
      throw new Error('it was not refused')
    },
    (error: unknown) => error as ConnectError
  )
