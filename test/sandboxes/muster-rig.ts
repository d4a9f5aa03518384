import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { MusterChild } from '../../extender/cli/demo/child.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { systemClock } from '../../extender/clock.ts'
import { loadConfig } from '../../extender/config.ts'
import { startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { controllers, kubelet, threads, usualNodes } from '../../extender/embedded/parts.ts'
import { startScheduler } from '../../extender/embedded/scheduler/scheduler.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { type Cluster, lookedAt } from './rig.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const silence = { debug() {}, info() {}, warn() {}, error() {} }

type Options = { readonly nodes: number; readonly cpu: string }

/** A cluster whose scheduling loop asks the real muster, in a process of its own; all end with the test. */
export async function musterCluster(t: Test, { nodes, cpu }: Options): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-pool-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const kubeconfig = join(dir, 'kubeconfig')
  const small = usualNodes(nodes).map(node => ({ ...node, allocatable: { cpu } }))
  const parts = [controllers, kubelet(small, [threads(root), simulatedRuntime()])]
  const cluster = await startEmbeddedCluster({ tls: false, kubeconfigFile: kubeconfig, parts })
  t.teardown(() => cluster.stop())
  const muster = await MusterChild.start(kubeconfig)
  t.teardown(() => muster.stop())
  const config = { ...schedulerConfiguration(loadConfig(['--kubeconfig', kubeconfig], {}), muster.url) }
  const ground = { client: cluster.client, clock: systemClock, random: Math.random, log: silence }
  const scheduler = startScheduler({ ...ground, config, project: new Projector() })
  t.teardown(() => scheduler.stop())
  return lookedAt(cluster)
}
