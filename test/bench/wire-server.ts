/** The servers of `npm run bench -- wire`, each in a thread of its own. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { buildApp } from '../../extender/app.ts'
import { Listener } from '../../extender/listener.ts'
import { processMetrics } from '../../extender/telemetry/metrics.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import type { Placement, VerbParts } from '../../extender/verbs/ports.ts'
import { Underway } from '../../extender/verbs/underway.ts'
import type { WireKind } from './wire-kinds.ts'

const placements: Readonly<Record<Exclude<WireKind, 'a fixed answer'>, Placement>> = {
  'muster: no gang, nothing held': { kind: 'ordinary', bars: undefined },
  'muster: no gang, one node in ten held': { kind: 'ordinary', bars: node => node.endsWith('7') },
  'muster: planned': { kind: 'planned', node: 'node-42' },
  'muster: waiting': { kind: 'waiting' }
}

const kind = workerData as WireKind
const url = kind === 'a fixed answer' ? await fixed() : await muster(placements[kind])
parentPort?.postMessage(url, [])

async function fixed(): Promise<string> {
  const answer =
    '{"Nodes":null,"NodeNames":["node-42"],"FailedNodes":null,"FailedAndUnresolvableNodes":null,"Error":""}'
  const server = createServer((from, to) => {
    from.resume().on('end', () => to.setHeader('content-type', 'application/json').end(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The whole HTTP server of `muster serve`, with its metrics; only what it looks up is fixed. */
async function muster(placement: Placement): Promise<string> {
  const [registry, logger] = [new Registry(), pino({ level: 'silent' })]
  const verbs: VerbParts = {
    gangs: {
      placement: () => placement,
      offered: () => {},
      refusedInTree: () => {},
      allowedPreemptions: () => new Set(),
      bind: async () => ''
    },
    ready: () => true,
    project: new Projector().pod,
    absentIsUnresolvable: () => true,
    underway: new Underway()
  }
  processMetrics(registry, 'bench')
  const listener = new Listener({ what: 'extender', log: logger })
  const reports = { gangs: () => [], gang: () => undefined, pod: () => undefined }
  const app = buildApp({ verbs, reports, checks: [], registry, logger }, listener.factory)
  return await listener.open(app, { host: '127.0.0.1', port: 0 })
}
