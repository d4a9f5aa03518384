import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { buildNoopExtender } from '../../control-plane/build.ts'
import type { Cluster } from '../../control-plane/cluster.ts'
import { muster, musterConfig, musterServer, stockConfig } from '../../control-plane/muster.ts'
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
  { name: 'gated', title: 'muster, gated', way: 'gated', takes: gangs, team: withMuster },
  { name: 'pinned', title: 'muster, gated and pinned', way: 'pinned', takes: gangs, team: withMuster },
  { name: 'scoped', title: 'muster, gated, for gangs alone', way: 'scoped', takes: gangs, team: forGangsAlone },
  { name: 'handed', title: 'muster, bound by kube-scheduler', way: 'handed', takes: gangs, team: forGangsAlone }
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

/** Its pair leads throughout, as for months: whoever is killed after each run would else wait for the lease of the last. */
async function forGangsAlone(cluster: Cluster, args: readonly string[]): Promise<Team> {
  const [namespace, name, holder] = ['kube-system', 'bench', 'bench']
  await cluster.client.create(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, {
    metadata: { name },
    spec: { holderIdentity: holder, leaseDurationSeconds: 3_600 }
  })
  const [port, apiPort, kubeconfig] = [await freePort(), await freePort(), await cluster.kubeconfig('muster')]
  const scope = [...args, '--scope', 'gangs', '--lease', `${namespace}/${name}`]
  const server = musterServer(cluster, { port, apiPort, kubeconfig, args: [...scope, '--lease-holder', holder] })
  const asks = ['--kubeconfig', await cluster.kubeconfig('system:kube-scheduler'), '--extender', server.url]
  const printed = parse(await muster('scheduler-config', ...asks, ...scope)) as object
  const file = join(cluster.site.dir, 'scheduler-for-gangs-alone.yaml')
  await writeFile(file, stringify({ ...printed, leaderElection: { leaderElect: false } }))
  return { scheduler: await cluster.scheduler(file, { gates: false }), extender: server.process }
}
