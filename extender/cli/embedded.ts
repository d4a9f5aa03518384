import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { cwd } from 'node:process'
import { parseArgs } from 'node:util'
import { loadConfig } from '../config.ts'
import { UsageError } from '../errors.ts'
import { parsed } from '../sources.ts'
import { schedulerConfiguration } from './scheduler-config.ts'

const usage = `Usage: muster embedded [--nodes N] [--simulated] [--kubeconfig FILE] [--port P] [--extender URL]

Runs a small Kubernetes in this process until Ctrl-C, for kubectl and every other client: an API server, controllers,
nodes, kube-scheduler's loop. Nothing of it outlives the command.

  --nodes N           so many nodes (default 5)
  --simulated         all pods only look as if they ran; without it, those with the annotation k4s/module run that
                      module in a thread, from a file below the current folder
  --kubeconfig FILE   write the kubeconfig there (default: a file in a new folder for temporary files)
  --port P            listen on that port of 127.0.0.1 (default: any)
  --extender URL      ask the muster that serves there; without it, pods are scheduled as kube-scheduler alone would

Examples:
  muster embedded --nodes 5
  muster embedded --nodes 2000 --simulated --kubeconfig cluster.kubeconfig --extender http://127.0.0.1:8888
  muster serve --kubeconfig cluster.kubeconfig     # in another terminal, for the cluster of the line before
`

const mostNodes = 10_000

type Wish = {
  readonly nodes: number
  readonly kubeconfig: string | undefined
  readonly port: number
  readonly extender: string | undefined
  readonly simulated: boolean
  readonly help: boolean
}

export const embedded = {
  name: 'embedded',
  summary: 'run a small Kubernetes in this process',
  async run(args: readonly string[]): Promise<void> {
    const wish = read(args)
    if (wish.help) process.stdout.write(usage)
    else await runCluster(wish)
  }
}

function read(args: readonly string[]): Wish {
  const spec = {
    nodes: { type: 'string', default: '5' },
    simulated: { type: 'boolean', default: false },
    kubeconfig: { type: 'string' },
    port: { type: 'string', default: '0' },
    extender: { type: 'string' },
    help: { type: 'boolean', default: false }
  } as const
  const { values } = parsed(() => parseArgs({ args: [...args], options: spec, allowPositionals: false }))
  const { help, kubeconfig, extender, simulated } = values
  if (extender !== undefined && !/^https?:\/\/[^?#\s]+$/.test(extender))
    throw new UsageError(`--extender: ${extender} must be a URL such as http://127.0.0.1:8888`)
  return {
    ...{ help, kubeconfig, extender, simulated },
    nodes: count('--nodes', values.nodes, mostNodes),
    port: count('--port', values.port, 65_535)
  }
}

function count(option: string, text: string, most: number): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > most)
    throw new UsageError(`${option}: ${text} must be a whole number from 0 to ${most}`)
  return Number(text)
}

/** Until a signal comes. */
async function runCluster({ nodes, port, extender, simulated, kubeconfig: asked }: Wish): Promise<void> {
  // Only here: the commands that ask a running muster start without the cluster's weight.
  const { embed } = await import('../embed.ts')
  const kubeconfig = resolve(asked ?? join(mkdtempSync(join(tmpdir(), 'muster-embedded-')), 'kubeconfig'))
  const running = await embed({ nodes, port, kubeconfigFile: kubeconfig, ...(!simulated && { root: cwd() }) })
  running.schedule(configuration(extender))
  process.stdout.write(welcome({ url: running.cluster.url, nodes, kubeconfig, extender }))
  // The timer keeps the process alive; the signal ends the wait, so that everything is closed.
  const timer = setInterval(() => {}, 60_000)
  await new Promise<void>(done => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
  clearInterval(timer)
  await running.stop()
}

/** The schedulers that muster's users know, and the one that every pod has by default. */
function configuration(extender: string | undefined): Readonly<Record<string, unknown>> {
  const config = loadConfig([], {})
  const names = ['default-scheduler', ...config.schedulerNames.keys()]
  const profiles = names.map(schedulerName => ({ schedulerName }))
  if (extender === undefined) return { kind: 'KubeSchedulerConfiguration', profiles }
  return { ...schedulerConfiguration(config, extender.replace(/\/+$/, '')), profiles }
}

type Started = {
  readonly url: string
  readonly nodes: number
  readonly kubeconfig: string
  readonly extender: string | undefined
}

function welcome({ url, nodes, kubeconfig, extender }: Started): string {
  return [
    `A cluster with ${nodes} ${nodes === 1 ? 'node' : 'nodes'} is up at ${url}. Try:`,
    '',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get nodes',
    '  kubectl create deployment web --image=nginx --replicas=3',
    '  kubectl get pods -o wide --watch',
    ...(extender === undefined ? [] : [`  muster serve            # where ${extender} is this machine`]),
    '',
    'Ctrl-C ends it, and nothing of it stays.',
    ''
  ].join('\n')
}
