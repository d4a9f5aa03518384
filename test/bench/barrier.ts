/**
 * What a gang costs at the barrier, on the wire alone: its members call `bind` one after the other and are answered when
 * the last one has come. Over TLS with certificates on both sides, HTTP/1.1 with a connection for each call, and HTTP/2.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as immediately } from 'node:timers/promises'
import type { Test } from 'tap'
import { create } from '../../extender/cli/certs/issue.ts'
import { replace } from '../../extender/cli/certs/store.ts'
import { bindBody } from '../verbs/bodies.ts'
import { type Client, http1, http2, type Wire, wire } from '../wire.ts'

const size = 512
/** More handshakes at a time would only wait for each other. */
const atOnce = 16
const rounds = 5

/** The ends of what a measurement has opened, the last one first. */
class Ends {
  readonly #all: (() => unknown)[] = []

  teardown(end: () => unknown): void {
    this.#all.push(end)
  }

  async end(): Promise<void> {
    for (const each of this.#all.toReversed()) await each()
  }
}

/** Everybody waits until all have come; the answer tells how many have. */
function barrier(server: Wire): () => number {
  let open = Promise.withResolvers<string>()
  let arrived = 0
  server.verbs.gangs.onBind = () => {
    const mine = open.promise
    arrived += 1
    if (arrived % size === 0) {
      open.resolve('')
      open = Promise.withResolvers<string>()
    }
    return mine
  }
  return () => arrived
}

/** kube-scheduler sends one after the other, and waits for none of them. */
async function gang(client: Client, arrived: () => number): Promise<void> {
  const calls: Promise<unknown>[] = []
  const begun = arrived()
  while (calls.length < size) {
    for (let count = 0; count < atOnce; count += 1) calls.push(client.call('/bind', bindBody()))
    while (arrived() - begun < calls.length) await immediately()
  }
  await Promise.all(calls)
}

type Figures = { readonly ms: readonly number[]; readonly cpuMs: number; readonly connections: number }

async function measure(open: (ends: Test, server: Wire) => Promise<Client> | Client): Promise<Figures> {
  const ends = new Ends()
  const folder = mkdtempSync(join(tmpdir(), 'muster-barrier-'))
  ends.teardown(() => rmSync(folder, { recursive: true }))
  try {
    replace(folder, create({ hosts: ['127.0.0.1'], clientName: 'client', days: 1 }, Date.now()), Date.now())
    const read = (name: string): Buffer => readFileSync(join(folder, name.replace('kube-scheduler', 'client')))
    const authority = { folder, read, issue: () => {} }
    // What these helpers use of a test is its teardown.
    const test = ends as unknown as Test
    const server = await wire(test, { authority, mutual: true, clientNames: ['client'] })
    const arrived = barrier(server)
    const client = await open(test, server)
    const ms: number[] = []
    const before = process.cpuUsage()
    for (let round = 0; round < rounds; round += 1) {
      const from = performance.now()
      await gang(client, arrived)
      ms.push(performance.now() - from)
    }
    const { user, system } = process.cpuUsage(before)
    return { ms, cpuMs: (user + system) / 1000 / rounds, connections: server.taken() }
  } finally {
    await ends.end()
  }
}

function row(name: string, { ms, cpuMs, connections }: Figures): string {
  const [first = 0, ...later] = ms
  const sorted = later.toSorted((a, b) => a - b)
  const figures = [first, sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0, cpuMs].map(value => value.toFixed(0))
  return `${name.padEnd(12)}${[...figures, String(connections)].map(each => each.padStart(14)).join('')}`
}

/** Alternating, so that both see the same machine. */
export async function barriers(): Promise<readonly string[]> {
  const head = ['first, ms', 'median, ms', 'worst, ms', 'CPU, ms', 'connections']
    .map(each => each.padStart(14))
    .join('')
  const lines = [
    `${size} binds of a gang, ${rounds} gangs; CPU is that of both sides, a gang`,
    '',
    `${''.padEnd(12)}${head}`
  ]
  for (let turn = 0; turn < 2; turn += 1) {
    lines.push(row('HTTP/1.1', await measure((test, server) => http1(test, server, size))))
    lines.push(row('HTTP/2', await measure((test, server) => http2(test, server))))
  }
  return lines
}
