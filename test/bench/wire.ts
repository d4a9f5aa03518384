/**
 * What muster itself adds to a filter call: the same requests, one after the other as kube-scheduler makes them, to its
 * real HTTP server with a fixed gang behind, and to a server that only reads the body and sends a fixed answer.
 */
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import { argsBody } from '../verbs/bodies.ts'
import { percentile } from './scheduler/statistics.ts'
import { kinds, type WireKind } from './wire-kinds.ts'

const sizes = [100, 500, 5_000]
const calls = { warmUp: 500, measured: 2_000 }

/** The lines of the table. */
export async function wire(): Promise<readonly string[]> {
  const servers = await Promise.all(kinds.map(WireServer.start))
  const heads = ['median', 'p99', 'added median', 'added p99'].map(each => each.padStart(14))
  const lines = [`${'milliseconds a filter call'.padEnd(56)}${heads.join('')}`]
  for (const size of sizes) {
    const body = Buffer.from(argsBody(namesOf(size)))
    for (let at = 0; at < calls.warmUp; at++) for (const server of servers) await server.filter(body)
    for (const server of servers) server.times.length = 0
    // Call by call in turn, so that whatever else the machine does comes over all alike.
    for (let at = 0; at < calls.measured; at++) for (const server of servers) await server.filter(body)
    const [fixed] = servers
    for (const server of servers) lines.push(row(server, size, server === fixed ? undefined : fixed))
  }
  await Promise.all(servers.map(server => server.stop()))
  return lines
}

class WireServer {
  readonly kind: WireKind
  /** Milliseconds. */
  readonly times: number[] = []
  readonly #worker: Worker
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  private constructor(kind: WireKind, worker: Worker, url: string) {
    this.kind = kind
    this.#worker = worker
    this.#url = url
  }

  static async start(this: void, kind: WireKind): Promise<WireServer> {
    const worker = new Worker(new URL('./wire-server.ts', import.meta.url), { workerData: kind })
    const [url] = (await once(worker, 'message')) as [string]
    return new WireServer(kind, worker, url)
  }

  async filter(body: Buffer): Promise<void> {
    const begun = performance.now()
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const headers = { 'content-type': 'application/json', 'content-length': body.length }
    const sent = request(`${this.#url}/filter`, { agent: this.#agent, method: 'POST', headers }, answer => {
      buffer(answer).then(resolve, reject)
    })
    sent.on('error', reject).end(body)
    const answer = await promise
    this.times.push(performance.now() - begun)
    if (!answer.includes('"NodeNames":[')) throw new Error(`${this.kind}: ${answer.toString('utf8', 0, 200)}`)
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    await this.#worker.terminate()
  }
}

function namesOf(size: number): readonly string[] {
  return Array.from({ length: size }, (_, index) => `node-${index}`)
}

function row({ kind, times }: WireServer, size: number, fixed: WireServer | undefined): string {
  const of = (q: number): readonly [number, number | undefined] => {
    const own = percentile(times, q)
    return [own, fixed && own - percentile(fixed.times, q)]
  }
  const [[p50, more50], [p99, more99]] = [of(0.5), of(0.99)]
  const texts = [p50, p99, more50, more99].map(value => (value?.toFixed(3) ?? '').padStart(14))
  return `${`${size.toLocaleString('en')} names, ${kind}`.padEnd(56)}${texts.join('')}`.trimEnd()
}
