import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectError, Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import type { Cluster } from '../../../policies/clusters.ts'
import type { Probe } from '../../../extender/sandboxes/global/clusters.ts'
import type { Settings } from '../../../extender/sandboxes/global/entry.ts'
import { readyz } from '../../../extender/sandboxes/global/readyz.ts'
import { type GlobalOptions, startGlobal } from '../../../extender/sandboxes/global/serve.ts'
import { PlacementService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/placement_pb.js'
import { SchedulerService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { untilTrue } from '../../embedded/until.ts'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { clientOf, recordingLog } from '../serve.ts'
import type { FakeCluster } from './fake-cluster.ts'

export type Said = Partial<Omit<Cluster, 'name'>>
type More = Partial<Omit<GlobalOptions, 'settings'> & Omit<Settings, 'clusters'>> & { readonly clock?: ManualClock }

/** An entry for a cluster, of priority 0 and weight 1 but for what a test says. */
export const entryOf = ({ name, url }: FakeCluster, said: Said = {}) => ({
  endpoint: url,
  cluster: { name, priority: 0, weight: 1, labels: new Map<string, string>(), state: 'active' as const, ...said }
})

/** Calls and probes that are not answered yet; a test that moves the time waits for them, so that it outruns no socket. */
class Traffic {
  underWay = 0

  async #counted<T>(call: () => Promise<T>): Promise<T> {
    this.underWay += 1
    try {
      return await call()
    } finally {
      this.underWay -= 1
    }
  }

  readonly probe: Probe = (endpoint, signal) => this.#counted(() => readyz(endpoint, signal))

  readonly transport = (baseUrl: string): Transport =>
    createConnectTransport({
      baseUrl,
      httpVersion: '1.1',
      interceptors: [next => request => this.#counted(() => next(request))]
    })
}

/** A front door over clusters, with time that moves only when the test says so. */
export async function frontDoor(t: Test, entries: readonly ReturnType<typeof entryOf>[], more: More = {}) {
  const { log, lines } = recordingLog()
  const { clock = new ManualClock(), failoverAfterMs = 300_000, strategy = 'rendezvous', ...options } = more
  const registry = new Registry()
  const settings = { clusters: entries, strategy, failoverAfterMs }
  const traffic = new Traffic()
  const { probe, transport } = traffic
  const server = await startGlobal({ settings, log, registry, clock, probe, transport, ...options })
  t.teardown(() => server.close())
  const { client, ask } = clientOf(server.url)
  const metric = async (name: string) =>
    (await registry.metrics()).split('\n').filter(line => line.startsWith(name) && !line.endsWith(' 0'))
  const [sandboxes, placements] = [client(SchedulerService), client(PlacementService)]
  /** Lets time pass until the condition holds; `stalled` calls are not waited for. */
  const pass = async (condition: () => boolean | Promise<boolean>, step: number, stalled = 0) => {
    for (let turn = 0; turn < 1_000; turn++) {
      await untilTrue('calls are answered', () => traffic.underWay <= stalled)
      if (await condition()) return
      clock.advance(step)
      await sleep(1)
    }
    throw new Error(`never came true: ${condition.toString()}`)
  }
  return { server, pass, sandboxes, placements, ask, clock, lines, metric }
}

/** The refusal that a call ends with. */
export const refused = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => {
      throw new Error('it was not refused')
    },
    (error: unknown) => error as ConnectError
  )
