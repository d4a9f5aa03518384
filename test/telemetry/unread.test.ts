import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { loadConfig } from '../../extender/config.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { embed } from '../../extender/embed.ts'

const cli = join(import.meta.dirname, '..', '..', 'extender', 'cli', 'muster.ts')

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** A real `muster serve` that logs to that file descriptor; it schedules one gang after the other until told to end. */
async function logging(t: Test, stdout: number) {
  const kubeconfig = join(t.testdir(), 'kubeconfig')
  const embedded = await embed({ nodes: 4, kubeconfigFile: kubeconfig })
  t.teardown(() => embedded.stop())
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const addresses = ['--listen', `127.0.0.1:${port}`, '--api-listen', '127.0.0.1:0']
  const child = spawn(process.execPath, [cli, 'serve', '--kubeconfig', kubeconfig, ...addresses], {
    stdio: ['ignore', stdout, 'inherit'],
    env: { PATH: process.env.PATH, HOME: '/dev/null' }
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  while ((await fetch(`${url}/readyz`).catch(() => undefined))?.status !== 200) await sleep(50)
  embedded.schedule({ ...schedulerConfiguration(loadConfig([], {}), url) })
  const { client } = embedded.cluster
  const isOnNode = (name: string): boolean => {
    const { items } = client.list('pods', { namespace: 'default' })
    const pods = items.filter(({ metadata }) => metadata.name.startsWith(`${name}-`))
    return pods.every(({ spec }) => (spec as { nodeName?: string }).nodeName !== undefined)
  }
  /** Resolves once the three members of a new gang are on nodes. */
  const schedule = async (name: string): Promise<void> => {
    for (let index = 0; index < 3; index++) {
      const annotations = { 'muster.dev/gang': name, 'muster.dev/min-member': '3' }
      client.create('pods', {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'default', name: `${name}-${index}`, annotations } },
        spec: {
          ...{ schedulerName: 'muster', schedulingGates: [{ name: 'muster.dev/gang' }] },
          containers: [{ name: 'main', image: 'none' }]
        }
      })
    }
    while (!isOnNode(name)) await sleep(20)
  }
  const lines = async (result: string): Promise<number> => {
    const scrape = await (await fetch(`${url}/metrics`)).text()
    return Number(new RegExp(`^muster_log_lines_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(scrape)?.[1])
  }
  return { child, exited, schedule, lines }
}

t.test('O7 gangs are scheduled while nobody reads the log, and the process ends when it is told to', async t => {
  const path = join(t.testdir({}), 'log')
  t.equal(spawnSync('mkfifo', [path]).status, 0)
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(pipe))
  // Full from the start.
  const filler = Buffer.alloc(4_096, '.')
  let filled = 0
  for (let left = true; left; )
    try {
      filled += writeSync(pipe, filler)
    } catch {
      left = false
    }
  const blocking = openSync(path, constants.O_WRONLY)
  const { child, exited, schedule, lines } = await logging(t, blocking)
  closeSync(blocking)
  for (let round = 0; round < 5; round++) await schedule(`gang${round}`)
  t.equal(await lines('written'), 0, 'not a line got out')

  await t.test('and whoever reads then gets all that waited', async t => {
    let text = ''
    const chunk = Buffer.alloc(65_536)
    while (!text.includes('"gang":"default/muster/gang4"') || !text.endsWith('\n')) {
      try {
        text += chunk.toString('utf8', 0, readSync(pipe, chunk))
      } catch {
        await sleep(20)
      }
    }
    const told = text.slice(filled).trimEnd().split('\n')
    for (const line of told) t.type(JSON.parse(line), 'object')
    t.equal(told.filter(line => line.includes('started a gang')).length, 5)
  })
  for (let left = true; left; )
    try {
      writeSync(pipe, filler)
    } catch {
      left = false
    }
  child.kill('SIGTERM')
  t.strictSame(await exited, [0, null])
})

t.test('O7 gangs are scheduled while the disk of the log is full, and lost lines are counted', async t => {
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  const { child, exited, schedule, lines } = await logging(t, full)
  await schedule('gang')
  t.ok((await lines('dropped')) > 5)
  t.equal(await lines('written'), 0)
  child.kill('SIGTERM')
  t.strictSame(await exited, [0, null])
})
