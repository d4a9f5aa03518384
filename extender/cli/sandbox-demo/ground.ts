import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Logger, pino } from 'pino'
import { loadConfig } from '../../config.ts'
import { embed, lookupIn } from '../../embed.ts'
import { startScheduler } from '../../sandbox.ts'
import { canStartRedis } from '../../sandbox-redis.ts'
import { entriesOfFlags, startEvents, startGlobal } from '../../sandbox-services.ts'
import { MusterChild } from '../demo/child.ts'
import { schedulerConfiguration } from '../scheduler-config.ts'
import type { Wish } from './wish.ts'

/** Where the client plays. */
export type Ground = {
  /** Of the global scheduler. */
  readonly url: string
  /** Of the events service, where there is one. */
  readonly eventsUrl: string | undefined
  readonly lookup: ReturnType<typeof lookupIn>
  /** Ends everything, the last first. */
  close(): Promise<void>
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
const nodes = 3
/** What sandboxes run: in a cluster inside of this process an image is a module. */
const template = {
  metadata: { annotations: { 'k4s/module': 'extender/sandboxes/mock/worker.ts' } },
  spec: {
    containers: [
      {
        name: 'sandbox',
        image: 'muster-mock-sandbox:latest',
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '64Mi' } }
      }
    ]
  }
}

/** Starts a cluster, muster beside it, and the services of the sandboxes. */
export async function openGround(wish: Wish, say: (line: string) => void): Promise<Ground> {
  const closing: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end()
  }
  try {
    return { ...(await open(wish, say, closing)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function open(
  wish: Wish,
  say: (line: string) => void,
  closing: (() => unknown)[]
): Promise<Omit<Ground, 'close'>> {
  const { kubeconfig, lookup } = await openCluster(say, closing)
  const log = pino({ base: null, level: wish.verbose ? 'info' : 'error' }, pino.destination({ fd: 2, sync: true }))
  const eventsUrl = wish.enableEvents ? await openEvents(wish, log, closing) : undefined
  if (eventsUrl !== undefined) say(`The events service listens at ${eventsUrl}.`)
  say(whereKeysAre(wish))
  const scheduler = await startScheduler({
    ...{ port: wish.schedulerPort, kubeconfig, log, templates: { default: template } },
    ...{ sandboxTtl: wish.sandboxTtlMs, idempotenceTtl: wish.idempotenceTtlMs },
    ...(!wish.redis && { redis: false }),
    ...(eventsUrl !== undefined && { enableEvents: true, events: eventsUrl })
  })
  closing.push(() => scheduler.close())
  say(`The scheduler service listens at ${scheduler.url}.`)
  const clusters = entriesOfFlags([`local=${scheduler.url}`])
  const settings = { clusters, strategy: 'rendezvous' as const, failoverAfterMs: 300_000 }
  const global = await startGlobal({ settings, log, port: wish.globalPort })
  closing.push(() => global.close())
  say(`The global scheduler listens at ${global.url}.`)
  return { url: global.url, eventsUrl, lookup }
}

async function openCluster(say: (line: string) => void, closing: (() => unknown)[]) {
  const dir = mkdtempSync(join(tmpdir(), 'muster-sandbox-demo-'))
  const remove = (): void => rmSync(dir, { recursive: true, force: true })
  process.once('exit', remove)
  const kubeconfig = join(dir, 'kubeconfig')
  const embedded = await embed({ nodes, root, kubeconfigFile: kubeconfig })
  closing.push(() => embedded.stop())
  const muster = await MusterChild.start(kubeconfig)
  closing.push(() => muster.stop())
  embedded.schedule({ ...schedulerConfiguration(loadConfig(['--kubeconfig', kubeconfig], {}), muster.url) })
  say(`A cluster of ${nodes} nodes runs in this process; its scheduler asks muster at ${muster.url}.`)
  return { kubeconfig, lookup: lookupIn(embedded.cluster.client) }
}

async function openEvents(wish: Wish, log: Logger, closing: (() => unknown)[]): Promise<string> {
  const events = await startEvents({ log, port: wish.eventsPort })
  closing.push(() => events.close())
  return events.url
}

function whereKeysAre({ redis }: Wish): string {
  if (redis && process.env.REDIS_URL !== undefined) return 'Idempotence keys are in the Redis of REDIS_URL.'
  if (redis && canStartRedis()) return 'Idempotence keys are in a redis-server that ends with this demo.'
  return `Idempotence keys are in memory${redis ? ': neither REDIS_URL nor redis-server is there' : ''}.`
}
