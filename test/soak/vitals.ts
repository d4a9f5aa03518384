import { readdir, readFile } from 'node:fs/promises'
import { metric, type MusterServer } from '../control-plane/muster.ts'
import { fetchText } from '../control-plane/probe.ts'

/** What a muster takes at a moment. */
export interface Vitals {
  /** MiB. */
  readonly rss: number
  /** Open files and sockets. */
  readonly handles: number
  /** Holds in the ledger. */
  readonly holds: number
  /** Time series at /metrics. */
  readonly series: number
}

/** Asks the process and its metrics. */
export async function vitalsOf(server: MusterServer): Promise<Vitals> {
  const { pid } = server.process
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const handles = await readdir(`/proc/${pid}/fd`)
  return {
    rss: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024),
    handles: handles.length,
    holds: await metric(server, 'muster_holds'),
    series: (await seriesOf(server)).length
  }
}

/** Every series with its labels, without its value. */
export async function seriesOf(server: MusterServer): Promise<readonly string[]> {
  const { text } = await fetchText(`${server.url}/metrics`)
  const samples = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return samples.map(line => line.slice(0, line.lastIndexOf(' ')))
}
