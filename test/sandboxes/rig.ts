import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { systemClock } from '../../extender/clock.ts'
import { type EmbeddedCluster, startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { controllers, kubelet, scheduler, usualNodes } from '../../extender/embedded/parts.ts'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { connectTo } from '../../extender/kubernetes/connection.ts'
import { kubernetesMetrics } from '../../extender/kubernetes/metrics.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { SandboxCluster } from '../../extender/sandbox-cluster.ts'
import { type SchedulerOptions, startScheduler } from '../../extender/sandbox.ts'
import { Publisher } from '../../extender/sandboxes/events/publisher.ts'
import {
  type Event,
  EventSchema,
  EventsService
} from '../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import type { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import type { Kubernetes } from '../../extender/sandboxes/scheduler/ports.ts'
import { untilTrue } from '../embedded/until.ts'
import { clientOf, type Loose, recordingLog } from './serve.ts'
import { SkewedClock } from './skewed-clock.ts'

export const namespace = 'sandbox'

/** A cluster with nodes, a scheduling loop for `muster` and simulated pods, over real HTTP; it ends with the test. */
export async function cluster(t: Test, { nodes = 2 }: { readonly nodes?: number } = {}) {
  const profiles = [{ schedulerName: 'default-scheduler' }, { schedulerName: 'muster' }]
  const running = await startEmbeddedCluster({
    tls: false,
    parts: [
      controllers,
      kubelet(usualNodes(nodes), [simulatedRuntime()]),
      scheduler({ kind: 'KubeSchedulerConfiguration', profiles }, new Projector())
    ]
  })
  t.teardown(() => running.stop())
  return lookedAt(running)
}

/** The cluster, and what a test looks at in it. */
export function lookedAt(running: EmbeddedCluster) {
  const { client } = running
  const list = (resource: string): readonly Loose[] => client.list(resource, { namespace }).items
  return {
    ...running,
    pods: () => list('pods').filter(pod => pod.metadata.deletionTimestamp === undefined),
    services: () => list('services'),
    service: (name: string): Loose => client.get({ resource: 'services', namespace, name }),
    /** Writes to pods and services of the sandboxes that came over HTTP with muster's own client. */
    writes: () =>
      running.audit
        .filter(({ verb }) => ['create', 'patch', 'delete', 'update'].includes(verb))
        .map(({ verb, resource, code }) => `${verb} ${resource} ${code}`)
  }
}

export type Cluster = Awaited<ReturnType<typeof cluster>>

/** A scheduler service on that cluster, and how to ask it; it ends with the test. */
export async function service(t: Test, on: Cluster, options: SchedulerOptions & { wrap?: Wrap } = {}) {
  const { wrap = same, ...rest } = options
  const clock = (options.clock ?? new SkewedClock()) as SkewedClock
  const { log, lines } = recordingLog()
  const registry = new Registry()
  const metrics = kubernetesMetrics(new Registry())
  // Requests under way keep the time of their own, however far a test moves that of the sandboxes.
  const api = connectTo(on.url, { clock: systemClock, metrics })
  const kube = new SandboxCluster({ api, namespace, clock, random: Math.random, log, metrics })
  await kube.prepare()
  const started = await startScheduler({
    ...{ port: 0, redis: false as const, log, registry, clock, kubernetes: wrap(kube), cluster: 'c1' },
    ...rest
  })
  const close = async () => {
    await started.close()
    await api.close()
  }
  t.teardown(close)
  const asking = clientOf(started.url)
  const sandboxes = asking.client(SchedulerService)
  return { ...asking, url: started.url, close, sandboxes, clock, lines, metric: metricOf(registry) }
}

/** Puts something between the service and its API server. */
export type Wrap = (kubernetes: Kubernetes) => Kubernetes
const same: Wrap = kubernetes => kubernetes

export type Service = Awaited<ReturnType<typeof service>>
function metricOf(registry: Registry) {
  return async (series: string): Promise<number | undefined> => {
    const line = (await registry.metrics()).split('\n').find(each => each.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length))
  }
}

/** Takes in events; `broken` for a while where a test says so. */
export function publisher(t: Pick<Test, 'teardown'>) {
  const events: Event[] = []
  const state = { broken: false, attempts: 0 }
  const transport = createRouterTransport(({ service: serves }) => {
    serves(EventsService, {
      publish({ event }) {
        state.attempts += 1
        if (state.broken || !event) throw new ConnectError('nobody there', Code.Unavailable)
        const accepted = !events.some(({ id }) => id === event.id)
        if (accepted) events.push(create(EventSchema, event))
        return { accepted }
      }
    })
  })
  const it = new Publisher({ transport, clock: systemClock, random: Math.random })
  t.teardown(() => it.close())
  return { publish: (event: Event) => it.publish(event), events, state }
}

/** A cluster and a service on it. */
export async function rig(t: Test, options: SchedulerOptions & { wrap?: Wrap } = {}) {
  const on = await cluster(t)
  return { on, it: await service(t, on, options) }
}

/** The sandbox once it is in that state. */
export async function until(it: Service, id: string, state: State): Promise<Loose> {
  for (let turn = 0; turn < 2_000; turn++) {
    const { sandbox } = await it.sandboxes.getSandbox({ id })
    if (sandbox?.state === state) return sandbox
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const told = it.lines.flatMap(({ msg }) => (msg === 'answered' ? [] : [msg]))
  throw new Error(`sandbox ${id} never came to state ${state}; the log: ${told.join(' | ')}`)
}

/** Nothing is left of any sandbox. */
export const cleared = (on: Cluster) =>
  untilTrue('everything is cleared away', () => on.pods().length === 0 && on.services().length === 0)

/** Changes an object of the cluster behind everybody's back. */
export function change(on: Cluster, resource: string, name: string, patch: object, subresource?: 'status'): KubeObject {
  const options = { type: 'merge' as const, ...(subresource && { subresource }) }
  return on.client.patch({ resource, namespace, name }, patch as never, options)
}
