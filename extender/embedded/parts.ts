import type { Ground, Part } from './cluster.ts'
import { startControllers } from './controllers/start.ts'
import type { NodeOptions } from './kubelet/nodes.ts'
import { Router } from './k4s/router.ts'
import type { OpenRuntime } from './kubelet/runtime.ts'
import { startKubelet } from './kubelet/start.ts'
import { workerRuntime } from './kubelet/worker-runtime.ts'
import { startScheduler } from './scheduler/scheduler.ts'
import type { Projection } from './scheduler/views.ts'

/** Replica sets, deployments, jobs and all the others. */
export const controllers: Part = (ground: Ground) => startControllers(ground)

/** Nodes, and what runs on them. */
export function kubelet(nodes: readonly NodeOptions[], runtimes: readonly OpenRuntime[]): Part {
  return ground => startKubelet({ ...ground, nodes, runtimes })
}

/** Threads for pods that name a module within the root; they may send to each other. */
export const threads =
  (root: string): OpenRuntime =>
  host =>
    workerRuntime({ root, post: new Router(host) })(host)

/** kube-scheduler's loop, with its configuration. */
export function scheduler(config: Readonly<Record<string, unknown>>, project: Projection): Part {
  return ground => startScheduler({ ...ground, config, project })
}

const nodesPerRack = 16
const zones = 3

/** `node-1`, `node-2`, …: sixteen to a rack, racks in three zones in turn. */
export function usualNodes(count: number): readonly NodeOptions[] {
  return Array.from({ length: count }, (_, index) => {
    const rack = Math.floor(index / nodesPerRack)
    return {
      name: `node-${index + 1}`,
      labels: {
        'topology.kubernetes.io/zone': `zone-${(rack % zones) + 1}`,
        'topology.kubernetes.io/rack': `rack-${rack + 1}`
      }
    }
  })
}
