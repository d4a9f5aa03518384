import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { embed } from '../../extender/embed.ts'
import { startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { KubernetesCluster } from '../../extender/embedded/k4s/cluster.ts'

const pods = '/api/v1/namespaces/default/pods'
const pod = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'none' }], ...spec }
})

type Row = { readonly what: string; readonly goal: string; readonly measure: () => Promise<string> }

/** The speed and size of the in-process cluster; client and server share one process. */
const rows: readonly Row[] = [
  { what: 'pod creates a second, one client over HTTP', goal: '1,000', measure: creates },
  { what: 'one event to 100 watchers, median', goal: '< 20 ms', measure: fanOut },
  { what: 'start with 2,000 simulated nodes', goal: '< 5 s', measure: start },
  { what: '2,000 nodes and 20,000 simulated pods, RSS', goal: '< 1 GiB', measure: size },
  { what: 'worker round trip, median', goal: '< 1 ms', measure: roundTrip },
  { what: '50 worker pods stopped', goal: '< 1 s', measure: stop }
]

/** The lines of the table. */
export async function embedded(): Promise<readonly string[]> {
  const lines = ['| what | goal | measured |', '|---|---|---|']
  for (const { what, goal, measure } of rows) lines.push(`| ${what} | ${goal} | ${await measure()} |`)
  return lines
}

async function creates(): Promise<string> {
  const cluster = await startEmbeddedCluster({ tls: false })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const create = (name: string): Promise<unknown> => post(agent, cluster.url + pods, pod(name))
  for (let index = 0; index < 1_000; index++) await create(`warm-${index}`)
  const count = 3_000
  const from = performance.now()
  for (let index = 0; index < count; index++) await create(`p-${index}`)
  const seconds = (performance.now() - from) / 1000
  agent.destroy()
  await cluster.stop()
  return Math.round(count / seconds).toLocaleString('en')
}

/** As lean as a client can be, since it shares the core with the server. */
function post(agent: Agent, url: string, body: object): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const sent = request(url, { agent, method: 'POST', headers }, answer => {
      buffer(answer).then(resolve, reject)
    })
    sent.on('error', reject)
    sent.end(text)
  })
}

async function fanOut(): Promise<string> {
  const cluster = await startEmbeddedCluster({ tls: false })
  const agent = new Agent({ keepAlive: true })
  let heard = 0
  const watches = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const asked = request(`${cluster.url}${pods}?watch=1`, { agent }, answer => {
        answer.on('data', () => heard++)
        resolve()
      })
      asked.on('error', () => {})
      asked.end()
      await promise
      return asked
    })
  )
  const times: number[] = []
  for (let index = 0; index < 60; index++) {
    heard = 0
    const from = performance.now()
    cluster.client.create('pods', pod(`p${index}`))
    while (heard < watches.length) await new Promise(resolve => setImmediate(resolve))
    times.push(performance.now() - from)
  }
  for (const watch of watches) watch.destroy()
  agent.destroy()
  await cluster.stop()
  return `${median(times).toFixed(1)} ms`
}

async function start(): Promise<string> {
  const from = performance.now()
  const running = await embed({ nodes: 2_000 })
  const seconds = (performance.now() - from) / 1000
  await running.stop()
  return `${seconds.toFixed(1)} s`
}

async function size(): Promise<string> {
  const running = await embed({ nodes: 2_000 })
  const { client } = running.cluster
  const count = 20_000
  for (let index = 0; index < count; index++) {
    client.create('pods', pod(`p-${index}`, { nodeName: `node-${(index % 2_000) + 1}` }))
    if (index % 200 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  const isRunning = (): number => client.list('pods', { fieldSelector: 'status.phase=Running' }).items.length
  while (isRunning() < count) await new Promise(resolve => setTimeout(resolve, 200))
  const mib = process.memoryUsage().rss / 2 ** 20
  await running.stop()
  return `${mib.toFixed(0)} MiB`
}

async function roundTrip(): Promise<string> {
  const cluster = await withWorkers('echo', 1)
  const times: number[] = []
  for (let index = 0; index < 2_000; index++) {
    const from = performance.now()
    await cluster.api.request('echo-0', index)
    times.push(performance.now() - from)
  }
  await cluster.stop()
  return `${median(times.slice(500)).toFixed(2)} ms`
}

async function stop(): Promise<string> {
  const cluster = await withWorkers('echo', 50)
  const from = performance.now()
  await cluster.stop()
  return `${((performance.now() - from) / 1000).toFixed(2)} s`
}

async function withWorkers(name: string, replicas: number): Promise<KubernetesCluster> {
  const cluster = await new KubernetesCluster().start()
  const template = { spec: { module: `muster:${name}` } }
  await cluster.applyYaml(
    JSON.stringify({ apiVersion: 'k4s/v1', kind: 'ReplicaSet', metadata: { name }, spec: { replicas, template } })
  )
  await cluster.ready(name, 60_000)
  return cluster
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
