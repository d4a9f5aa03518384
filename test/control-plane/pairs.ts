import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import type { Cluster } from './cluster.ts'
import { onHost } from './components.ts'
import { ExtenderProxy } from './extender-proxy.ts'
import { type MusterServer, metric, muster, musterServer } from './muster.ts'
import { freePort } from './ports.ts'
import type { ManagedProcess } from './process.ts'

/** The Lease of the pairs' election. */
const lease = 'kube-system/muster-scheduler'

/** How long leaders lead; those of kube-scheduler are 15, 10 and 2 seconds. */
export interface Timing {
  readonly leaseDuration: string
  readonly renewDeadline: string
  readonly retryPeriod: string
}

/** A kubelet waits as long before it starts again what ended by itself, or somewhat longer. */
const restartMs = 1_000

/** A kube-scheduler and the muster beside it, on what they take for a machine of their own. */
export class Pair {
  readonly host: string
  readonly muster: MusterServer
  readonly scheduler: ManagedProcess
  readonly verbs: ExtenderProxy
  #isWanted = false

  constructor(parts: Pick<Pair, 'host' | 'muster' | 'scheduler' | 'verbs'>) {
    this.host = parts.host
    this.muster = parts.muster
    this.scheduler = parts.scheduler
    this.verbs = parts.verbs
  }

  /** As a pod does: muster first. A kube-scheduler that ends by itself, as one that lost its lease does, is started again. */
  async start(): Promise<void> {
    if (!this.muster.process.running) await this.muster.process.start()
    if (!this.scheduler.running) await this.scheduler.start()
    if (this.#isWanted) return
    this.#isWanted = true
    void this.#supervise()
  }

  /** As a pod does at its end: muster last. */
  async stop(): Promise<void> {
    this.#isWanted = false
    await this.scheduler.stop()
    await this.muster.process.stop(20_000)
  }

  async kill(): Promise<void> {
    this.#isWanted = false
    await Promise.all([this.scheduler.kill(), this.muster.process.kill()])
  }

  pause(): void {
    this.scheduler.pause()
    this.muster.process.pause()
  }

  resume(): void {
    this.scheduler.resume()
    this.muster.process.resume()
  }

  async #supervise(): Promise<void> {
    while (this.#isWanted) {
      await this.scheduler.ended()
      await sleep(restartMs, undefined, { ref: false })
      if (this.#isWanted && !this.scheduler.running) this.scheduler.launch()
    }
  }

  /** Whether its muster says that it leads. */
  async leads(): Promise<boolean> {
    return this.muster.process.running && (await metric(this.muster, 'muster_active')) === 1
  }
}

/** Whether processes may be told that they run on another machine; why not, where they may not. */
export async function whyNoHosts(): Promise<string | undefined> {
  const { command, args } = onHost('pair-a', 'true', [])
  return await promisify(execFile)(command, args).then(
    () => undefined,
    (error: unknown) => `two kube-schedulers on one machine have one name: ${String(error).split('\n')[0]}`
  )
}

/** A pair of the cluster, not yet started; `args` go to both commands of muster. */
export async function pairOf(
  cluster: Cluster,
  host: string,
  timing: Timing,
  args: readonly string[] = []
): Promise<Pair> {
  const [port, apiPort] = [await freePort(), await freePort()]
  const election = ['--lease', lease, ...args]
  const server = musterServer(cluster, {
    ...{ port, apiPort, host, args: election },
    kubeconfig: await cluster.kubeconfig('muster')
  })
  const verbs = await new ExtenderProxy(await freePort(), server.url).start()
  const kubeconfig = await cluster.kubeconfig('system:kube-scheduler')
  const printed = await muster('scheduler-config', '--kubeconfig', kubeconfig, '--extender', verbs.url, ...election)
  const config = parse(printed) as { leaderElection: object }
  const file = join(cluster.site.dir, `scheduler-${host}.yaml`)
  await writeFile(file, stringify({ ...config, leaderElection: { ...config.leaderElection, ...timing } }))
  return new Pair({ host, muster: server, scheduler: await cluster.scheduler(file, { host }), verbs })
}
