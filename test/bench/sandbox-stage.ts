import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { request } from 'undici'
import { type Embedded, embed } from '../../extender/embed.ts'
import { SchedulerService } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { usageOf } from './processes.ts'

const cli = fileURLToPath(new URL('../../extender/cli/muster.ts', import.meta.url))
/** What simulated pods are made from. */
export const template = { spec: { containers: [{ name: 'main', image: 'plain', ports: [{ containerPort: 8080 }] }] } }

type Seed = (client: Embedded['cluster']['client']) => void | Promise<void>

/** A cluster and its clients in this process, and the service of the sandboxes in one of its own. */
export class SandboxStage {
  readonly url: string
  readonly sandboxes: Client<typeof SchedulerService>
  readonly #embedded: Embedded
  readonly #child: ChildProcess
  readonly #dir: string
  readonly #kill = (): unknown => this.#child.kill('SIGKILL')

  private constructor(parts: { url: string; embedded: Embedded; child: ChildProcess; dir: string }) {
    this.url = parts.url
    this.#embedded = parts.embedded
    this.#child = parts.child
    process.once('exit', this.#kill)
    this.#dir = parts.dir
    const transport = createConnectTransport({ baseUrl: parts.url, httpVersion: '1.1' })
    this.sandboxes = createClient(SchedulerService, transport)
  }

  /** `seed` may put things into the cluster before the service sees it. */
  static async open(nodes: number, flags: readonly string[] = [], seed: Seed = () => {}): Promise<SandboxStage> {
    const dir = mkdtempSync(join(tmpdir(), 'muster-bench-'))
    const [kubeconfig, file] = [join(dir, 'kubeconfig'), join(dir, 'template.json')]
    writeFileSync(file, JSON.stringify(template))
    const embedded = await embed({ nodes, kubeconfigFile: kubeconfig })
    embedded.schedule({ kind: 'KubeSchedulerConfiguration', profiles: [{ schedulerName: 'muster' }] })
    await seed(embedded.cluster.client)
    const listen = `127.0.0.1:${await freePort()}`
    const args = ['--kubeconfig', kubeconfig, '--listen', listen, '--no-redis', '--log-level', 'warn']
    const all = [cli, 'sandbox', 'scheduler', ...args, '--template', `default=${file}`, ...flags]
    const child = spawn(process.execPath, all, { stdio: ['ignore', 'ignore', 'inherit'] })
    const stage = new SandboxStage({ url: `http://${listen}`, embedded, child, dir })
    await stage.#until(async () => (await request(`${stage.url}/readyz`)).statusCode === 200)
    return stage
  }

  async close(): Promise<void> {
    process.off('exit', this.#kill)
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
    await this.#embedded.stop()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  /** Pods that there are. */
  pods(): number {
    return this.#embedded.cluster.client.list('pods', { namespace: 'sandbox' }).items.length
  }

  /** Until the service says that so many stand ready. */
  untilWarm(count: number): Promise<void> {
    const line = `muster_sandbox_pool_pods{template="default",state="ready"} ${count}\n`
    return this.#until(async () => (await (await request(`${this.url}/metrics`)).body.text()).includes(line))
  }

  /** MiB of the service alone. */
  rss(): number {
    return usageOf(this.#child.pid).rss
  }

  /** CPU seconds of the service so far. */
  cpu(): number {
    return usageOf(this.#child.pid).cpu
  }

  async #until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition().catch(() => false))) {
      if (this.#child.exitCode !== null) throw new Error('the service has ended')
      await sleep(20)
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
