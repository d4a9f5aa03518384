/** `npm run control-plane -- up | down`: a real control plane with fake nodes, muster and its scheduler, for hands. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { CommandLine } from '../command-line.ts'
import { buildTools, type Tools } from './build.ts'
import { forEach } from './client.ts'
import { Cluster } from './cluster.ts'
import { type MusterServer, musterConfig, musterServer } from './muster.ts'
import { gangObjects, nodeObject } from './objects.ts'
import { freePort } from './ports.ts'
import { release } from './release.ts'

const run = promisify(execFile)
const record = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muster', 'control-plane-up.json')

interface Record {
  readonly dir: string
  readonly pids: readonly number[]
}

const command = new CommandLine('control-plane', 'usage: npm run control-plane -- up [--nodes 16] | down\n')
const { positionals, values } = command.read({ nodes: { type: 'string' } })
const nodes = command.count('nodes', values.nodes, 16)
if (positionals.join() === 'up') await up()
else if (positionals.join() === 'down') await down()
else command.refuse('say up or down')

async function up(): Promise<void> {
  const running = await readRecord()
  if (running && (await living(running)).length > 0) fail(`one is up already in ${running.dir}; end it with: down`)
  const tools = await buildTools()
  if (tools.kind === 'absent') fail(tools.reason)
  const cluster = await Cluster.start(tools, { outlives: true, controllerManager: true })
  process.once('SIGINT', () => {
    cluster.stop().then(
      () => process.exit(130),
      () => process.exit(130)
    )
  })
  try {
    await furnish(cluster, tools)
  } catch (error) {
    await cluster.stop()
    throw error
  }
  process.exit(0)
}

async function furnish(cluster: Cluster, tools: Tools): Promise<void> {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index}`)
  await forEach(names, 16, name => cluster.client.create('/api/v1/nodes', nodeObject(name, { slots: 10 })))
  const kubeconfig = await cluster.kubeconfig('muster')
  const muster = musterServer(cluster, { port: await freePort(), apiPort: await freePort(), kubeconfig })
  await muster.process.start()
  await (await cluster.scheduler(await musterConfig(cluster, muster.url))).start()
  const items = gangObjects({ name: 'hello', size: 8, gated: true, cpu: '4' })
  const example = join(cluster.site.dir, 'gang.json')
  await writeFile(example, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2))
  await writeRecord({ dir: cluster.site.dir, pids: cluster.processes.flatMap(each => each.pid ?? []) })
  await tell(cluster, tools, muster, example)
}

async function tell(cluster: Cluster, tools: Tools, muster: MusterServer, example: string): Promise<void> {
  const kubectl = `${tools.path('kubectl')} --kubeconfig ${await cluster.kubeconfig('admin')}`
  const lines = [
    `up: Kubernetes ${release}, ${nodes} fake nodes, muster and kube-scheduler; logs in ${cluster.site.dir}`,
    '',
    `kubeconfig: ${await cluster.kubeconfig('admin')}`,
    '',
    'a gang of 8, and where it went:',
    `  ${kubectl} apply -f ${example}`,
    `  ${kubectl} get pods -o wide`,
    '',
    `muster's own view: npx muster gangs --server ${muster.apiUrl}`,
    'the end:           npm run control-plane -- down'
  ]
  console.log(lines.join('\n'))
}

async function down(): Promise<void> {
  const running = await readRecord()
  if (!running) return console.log('nothing is up')
  const pids = await living(running)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await rm(running.dir, { recursive: true, force: true, maxRetries: 5 })
  await rm(record, { force: true })
  console.log(`ended ${pids.length} processes and removed ${running.dir}`)
}

/** Those recorded processes that still run; a pid that was given to another program since then is not one of them. */
async function living({ dir, pids }: Record): Promise<readonly number[]> {
  const ours = await Promise.all(
    pids.map(async pid => {
      const { stdout } = await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
      return stdout.includes(dir) ? [pid] : []
    })
  )
  return ours.flat()
}

async function readRecord(): Promise<Record | undefined> {
  const text = await readFile(record, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Record)
}

async function writeRecord(value: Record): Promise<void> {
  await mkdir(dirname(record), { recursive: true })
  await writeFile(record, JSON.stringify(value))
}

function fail(line: string): never {
  console.error(line)
  process.exit(1)
}
