import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import type { Cluster } from './cluster.ts'
import { answers, fetchText } from './probe.ts'
import type { ManagedProcess } from './process.ts'

const run = promisify(execFile)
const cli = join(import.meta.dirname, '..', '..', 'extender', 'cli', 'muster.ts')

/** muster as a process of its own, and where it listens. */
export interface MusterServer {
  readonly process: ManagedProcess
  /** Of the verbs. */
  readonly url: string
  /** Of the human API. */
  readonly apiUrl: string
}

/** Ports and arguments of a `muster serve`. */
export interface MusterOptions {
  readonly port: number
  readonly apiPort: number
  readonly kubeconfig: string
  readonly args?: readonly string[]
}

/** `muster serve` against a cluster, not yet started; it is ready when /readyz says so. */
export function musterServer(cluster: Cluster, options: MusterOptions): MusterServer {
  const url = `http://127.0.0.1:${options.port}`
  const listen = ['--listen', `127.0.0.1:${options.port}`, '--api-listen', `127.0.0.1:${options.apiPort}`]
  const process = cluster.add({
    name: 'muster',
    url,
    command: globalThis.process.execPath,
    args: [cli, 'serve', '--kubeconfig', options.kubeconfig, ...listen, ...(options.args ?? [])],
    ready: () => answers(`${url}/readyz`)
  })
  return { process, url, apiUrl: `http://127.0.0.1:${options.apiPort}` }
}

/** Runs a command of the command line and answers what it printed. */
export async function muster(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [cli, ...args])
  return stdout
}

/** One gang as `GET /gangs` tells it. */
export interface GangView {
  readonly namespace: string
  readonly name: string
  readonly state: string
  readonly [field: string]: unknown
}

/** What muster says about its gangs. */
export async function gangs(server: MusterServer): Promise<readonly GangView[]> {
  const { status, text } = await fetchText(`${server.apiUrl}/gangs`)
  if (status !== 200) throw new Error(`GET /gangs: ${status} ${text}`)
  const body = JSON.parse(text) as readonly GangView[] | { readonly gangs: readonly GangView[] }
  return 'gangs' in body ? body.gangs : body
}

/** The sum of one metric's samples over all its labels, or over those lines that contain `label`. */
export async function metric(server: MusterServer, name: string, label = ''): Promise<number> {
  const { text } = await fetchText(`${server.url}/metrics`)
  const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  const values = lines.filter(line => line.includes(label)).map(line => Number(line.slice(line.lastIndexOf(' ') + 1)))
  if (lines.length === 0) throw new Error(`/metrics has no ${name}`)
  return values.reduce((sum, value) => sum + value, 0)
}

/** Writes the configuration with which a stock kube-scheduler asks muster, as `muster scheduler-config` prints it. */
export async function musterConfig(cluster: Cluster, extender: string, args: readonly string[] = []): Promise<string> {
  const kubeconfig = await cluster.kubeconfig('system:kube-scheduler')
  const file = join(cluster.site.dir, 'scheduler-with-muster.yaml')
  await writeFile(file, await muster('scheduler-config', '--kubeconfig', kubeconfig, '--extender', extender, ...args))
  return file
}

/** How the configuration of a scheduler differs that does not ask muster. */
export interface StockOptions {
  /** `percentageOfNodesToScore`; default: kube-scheduler's own, which falls with the number of nodes. */
  readonly sampling?: number
  /** Base URL of an extender that filters and looks at preemptions, as muster's first entry does. */
  readonly extender?: string
}

/** Writes the configuration of a scheduler of the same profiles and the same client rates, which asks nobody by default. */
export async function stockConfig(cluster: Cluster, { sampling, extender }: StockOptions = {}): Promise<string> {
  const verbs = { filterVerb: 'filter', preemptVerb: 'preempt', httpTimeout: '2s' }
  const config = {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: { kubeconfig: await cluster.kubeconfig('system:kube-scheduler'), qps: 1000, burst: 2000 },
    leaderElection: { leaderElect: false },
    profiles: [{ schedulerName: 'muster' }, { schedulerName: 'custom-scheduler' }],
    ...(sampling !== undefined && { percentageOfNodesToScore: sampling }),
    ...(extender !== undefined && { extenders: [{ urlPrefix: extender, nodeCacheCapable: true, ...verbs }] })
  }
  const kind = [sampling ?? 'adaptive', extender === undefined ? 'alone' : 'extended'].join('-')
  const file = join(cluster.site.dir, `scheduler-stock-${kind}.yaml`)
  await writeFile(file, stringify(config))
  return file
}
