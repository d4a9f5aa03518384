import { type Clock, type Random, systemClock } from './clock.ts'
import { type EmbeddedCluster, type Log, startEmbeddedCluster } from './embedded/cluster.ts'
import { simulatedRuntime } from './embedded/kubelet/simulated.ts'
import { type KubernetesClusterOptions, KubernetesCluster as ThreadCluster } from './embedded/k4s/cluster.ts'
import type { Placement } from './embedded/k4s/placement.ts'
import { controllers, kubelet, threads, usualNodes } from './embedded/parts.ts'
import { type Scheduler, startScheduler } from './embedded/scheduler/scheduler.ts'
import { Projector } from './kubernetes/projections.ts'

export { lookupIn } from './embedded/resolver.ts'
export { list as threadDemos, suite as threadDemoSuite } from './embedded/demos/list.ts'

export type EmbedOptions = {
  readonly nodes: number
  /** Default 0: any that is free. */
  readonly port?: number
  readonly kubeconfigFile?: string
  /** The folder that modules of worker pods are in; without it, all pods only look as if they ran. */
  readonly root?: string
  readonly log?: Log
  readonly clock?: Clock
  readonly random?: Random
}

/** A cluster in this process. It has no scheduler until one is started, since that must know where its extenders are. */
export type Embedded = {
  readonly cluster: EmbeddedCluster
  /** Starts kube-scheduler's loop with a KubeSchedulerConfiguration; it ends with the cluster. */
  schedule(config: Readonly<Record<string, unknown>>): Scheduler
  stop(): Promise<void>
}

const silence: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The composition root of the embedded cluster: API server, controllers, kubelets, the scheduling loop. */
export async function embed({ nodes, root, ...options }: EmbedOptions): Promise<Embedded> {
  const { clock = systemClock, random = Math.random, log = silence } = options
  const runtimes = [...(root === undefined ? [] : [threads(root)]), simulatedRuntime()]
  const parts = [controllers, kubelet(usualNodes(nodes), runtimes)]
  const cluster = await startEmbeddedCluster({ ...options, clock, random, log, parts })
  const schedulers: Scheduler[] = []
  return {
    cluster,
    schedule(config) {
      const ground = { client: cluster.client, clock, random, log }
      const scheduler = startScheduler({ ...ground, config, project: new Projector() })
      schedulers.push(scheduler)
      return scheduler
    },
    async stop() {
      await Promise.all(schedulers.map(scheduler => scheduler.stop()))
      await cluster.stop()
    }
  }
}

/** Threads as containers, without HTTP. With an `extender`, kube-scheduler's loop finds their nodes and asks it. */
export class KubernetesCluster extends ThreadCluster {
  constructor(options: KubernetesClusterOptions = {}) {
    super({ ...(options.extender !== undefined && { placement: scheduled }), ...options })
  }
}

const scheduled: Placement = ({ extender, ...ground }) => {
  const entry = { urlPrefix: extender, nodeCacheCapable: true }
  const extenders = [
    { ...entry, filterVerb: 'filter', preemptVerb: 'preempt', httpTimeout: '2s' },
    { ...entry, bindVerb: 'bind', httpTimeout: '30s' }
  ]
  const profiles = ['default-scheduler', 'muster'].map(schedulerName => ({ schedulerName }))
  const config = { kind: 'KubeSchedulerConfiguration', profiles, extenders }
  return startScheduler({ ...ground, config, project: new Projector() })
}
