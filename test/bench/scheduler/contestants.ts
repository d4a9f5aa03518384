import { buildNoopExtender } from '../../control-plane/build.ts'
import type { Cluster } from '../../control-plane/cluster.ts'
import { musterConfig, musterServer, stockConfig } from '../../control-plane/muster.ts'
import { freePort } from '../../control-plane/ports.ts'
import { answers } from '../../control-plane/probe.ts'
import type { ManagedProcess } from '../../control-plane/process.ts'
import type { Way } from './loads.ts'

/** The processes of one contestant in one cluster, none of them started. */
export type Team = {
  readonly scheduler: ManagedProcess
  /** Whom kube-scheduler asks, if anybody. */
  readonly extender?: ManagedProcess
}

/** Who is measured. */
export type Contestant = {
  readonly name: string
  /** As the tables call it. */
  readonly title: string
  /** How it wants its pods. */
  readonly way: Way
  /** Gangs of one are single pods. */
  readonly takes: (size: number) => boolean
  readonly team: (cluster: Cluster, musterArgs: readonly string[]) => Promise<Team>
}

const [everything, gangs, single] = [() => true, (size: number) => size > 1, (size: number) => size === 1]

/** In the order of the tables. */
export const contestants: readonly Contestant[] = [
  { name: 'stock', title: 'stock', way: 'loose', takes: everything, team: cluster => stock(cluster, {}) },
  {
    ...{ name: 'full', title: 'stock, sampling 100 %', way: 'loose', takes: everything },
    team: cluster => stock(cluster, { sampling: 100 })
  },
  { name: 'noop', title: 'stock + no-op extender', way: 'loose', takes: everything, team: noop },
  {
    ...{ name: 'native', title: 'native gangs', way: 'native', takes: gangs },
    team: async cluster => ({ scheduler: await cluster.scheduler(await stockConfig(cluster), { gates: true }) })
  },
  { name: 'ordinary', title: 'muster, pods of no gang', way: 'loose', takes: single, team: withMuster },
  { name: 'beside', title: 'the same beside waiting gangs', way: 'beside', takes: single, team: withMuster },
  { name: 'ungated', title: 'muster, ungated', way: 'ungated', takes: gangs, team: withMuster },
  { name: 'gated', title: 'muster, gated', way: 'gated', takes: gangs, team: withMuster }
]

/** Fair ground for what is compared: the same rates of the client, no native gangs. */
async function stock(cluster: Cluster, options: { readonly sampling?: number }): Promise<Team> {
  return { scheduler: await cluster.scheduler(await stockConfig(cluster, options), { gates: false }) }
}

async function noop(cluster: Cluster): Promise<Team> {
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}`
  const extender = cluster.add({
    name: 'noop-extender',
    command: await buildNoopExtender(),
    args: [address],
    ready: () => answers(`${url}/readyz`)
  })
  return {
    scheduler: await cluster.scheduler(await stockConfig(cluster, { extender: url }), { gates: false }),
    extender
  }
}

async function withMuster(cluster: Cluster, args: readonly string[]): Promise<Team> {
  const [port, apiPort, kubeconfig] = [await freePort(), await freePort(), await cluster.kubeconfig('muster')]
  const muster = musterServer(cluster, { port, apiPort, kubeconfig, args })
  return {
    scheduler: await cluster.scheduler(await musterConfig(cluster, muster.url, args), { gates: false }),
    extender: muster.process
  }
}
