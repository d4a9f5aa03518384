/**
 * How `muster serve` takes over a large cluster: 5,000 nodes and 50,000 pods from an API server that has its pages ready.
 * The server runs in this process, muster in one of its own, with the options of Node that it is installed with. The
 * first round fills the cache of compiled code, where it is not filled yet.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../control-plane/ports.ts'
import { answers, fetchText } from '../control-plane/probe.ts'
import { ManagedProcess, removeAtEnd } from '../control-plane/process.ts'
import { Collections } from './collections.ts'
import { usageOf } from './processes.ts'
import { Exposition } from './scheduler/exposition.ts'
import { type Spread, spread } from './scheduler/statistics.ts'

const [nodes, pods, rounds] = [5_000, 50_000, 5]
const root = join(import.meta.dirname, '..', '..')
const cli = join(root, 'extender', 'cli', 'muster.ts')
/** As it is installed. */
const [, options = ''] =
  /NODE_OPTIONS\n\s+value: (.*)/.exec(readFileSync(join(root, 'manifests', 'base', 'deployment.yaml'), 'utf8')) ?? []

type Sync = {
  /** From its first request until it is ready. */
  readonly seconds: number
  /** From the start of the process until it is ready. */
  readonly startSeconds: number
  readonly cpuSeconds: number
  readonly rss: number
  readonly peakRss: number
  readonly longestBlockMs: number
}

/** The lines of the table. */
export async function states(): Promise<readonly string[]> {
  const server = await new Collections(nodes, pods).listen()
  const dir = mkdtempSync(join(tmpdir(), 'muster-bench-'))
  removeAtEnd(dir)
  const syncs: Sync[] = []
  for (let round = 0; round < rounds; round++) syncs.push(await sync(server, dir))
  await server.close()
  const rows: readonly (readonly [string, string, (one: Sync) => number, number])[] = [
    ['first request to ready, s', '≤ 3', ({ seconds }) => seconds, 2],
    ['start of the process to ready, s', '', ({ startSeconds }) => startSeconds, 2],
    ['CPU of the process until ready, s', '', ({ cpuSeconds }) => cpuSeconds, 2],
    ['RSS when ready, MiB', '≤ 260', ({ rss }) => rss, 0],
    ['largest RSS, MiB', '', ({ peakRss }) => peakRss, 0],
    ['longest block of the event loop, ms', '≤ 50', ({ longestBlockMs }) => longestBlockMs, 0]
  ]
  const text = `${nodes.toLocaleString('en')} nodes, ${pods.toLocaleString('en')} pods, ${server.megabytes.toFixed(0)} MB of JSON`
  return [
    `| ${text}, ${rounds} rounds | goal | median | least | most |`,
    '|---|---|---|---|---|',
    ...rows.map(([what, goal, figure, digits]) => `| ${what} | ${goal} | ${cells(spread(syncs.map(figure)), digits)} |`)
  ]
}

async function sync(server: Collections, dir: string): Promise<Sync> {
  const [port, apiPort] = [await freePort(), await freePort()]
  const [kubeconfig, url] = [join(dir, 'kubeconfig'), `http://127.0.0.1:${port}`]
  writeFileSync(kubeconfig, JSON.stringify(kubeconfigFor(server.url)))
  const listen = ['--listen', `127.0.0.1:${port}`, '--api-listen', `127.0.0.1:${apiPort}`]
  const muster = new ManagedProcess({
    ...{ name: 'muster', command: process.execPath, logFile: join(dir, 'muster.log'), startTimeout: 120_000 },
    args: [cli, 'serve', '--kubeconfig', kubeconfig, ...listen],
    env: { NODE_OPTIONS: options },
    ready: () => answers(`${url}/readyz`)
  })
  server.firstRequest = undefined
  const begun = performance.now()
  try {
    await muster.start()
    const ready = performance.now()
    const { cpu, rss } = usageOf(muster.pid)
    const [, peak = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${muster.pid}/status`, 'utf8')) ?? []
    const told = new Exposition((await fetchText(`${url}/metrics`)).text)
    return {
      seconds: (ready - (server.firstRequest ?? begun)) / 1000,
      startSeconds: (ready - begun) / 1000,
      ...{ cpuSeconds: cpu, rss, peakRss: Number(peak) / 1024 },
      longestBlockMs: told.sum('muster_event_loop_delay_seconds') * 1000
    }
  } finally {
    await muster.kill()
  }
}

function cells({ median, least, most }: Spread, digits: number): string {
  return [median, least, most].map(value => value.toFixed(digits)).join(' | ')
}

function kubeconfigFor(server: string): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'bench' },
    clusters: [{ name: 'bench', cluster: { server } }],
    users: [{ name: 'bench', user: { token: 'none' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }]
  }
}
