import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Registry } from 'prom-client'
import { type Clock, systemClock } from '../../clock.ts'
import { reasonOf, UsageError } from '../../errors.ts'
import { Activity } from './activity.ts'
import { Refused, refuse } from './answers.ts'
import { Door } from './door.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { exchange, type Passage, refuseRaw, switchOver } from './proxy.ts'
import type { Scheduler } from './scheduler.ts'
import { Targets } from './targets.ts'
import { WaitingRoom, type WaitingLimits } from './waiting-room.ts'
import { Waker } from './waker.ts'

export type ActivatorOptions = {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any that is free. */
  readonly port?: number
  readonly scheduler: Scheduler
  readonly log: Log
  readonly registry: Registry
  readonly clock?: Clock
  /** `NAME.DOMAIN` is project NAME. Default `sandbox.localhost`. */
  readonly domain?: string
  /** Default: the scheduler's. */
  readonly tenant?: string
  /** A sandbox that was made for traffic ends when none came for so long. Default: when its time is up. */
  readonly idleTimeoutMs?: number | undefined
  /** Ranges of addresses that traffic may go to besides those of ordinary pods. */
  readonly allowedTargets?: readonly string[]
  /** How much waits while sandboxes start. Default 100 requests of a project, 16 MiB in all. */
  readonly waiting?: Partial<WaitingLimits>
  /** A sandbox that is not ready after so long is not waited for any more. Default 30 s. */
  readonly startMs?: number
}

export type Activator = {
  readonly url: string
  /** Takes no more connections, lets exchanges end for so long, then cuts off what is left, WebSockets too. */
  close(graceMs?: number): Promise<void>
}

/** Bodies are read no further than that before their sandbox takes them. */
const highWaterMark = 16 * 1024
const limits = { headersTimeout: 5_000, requestTimeout: 600_000, maxHeaderSize: 16 * 1024, highWaterMark }
const mostConnections = 4096
const usualGraceMs = 5_000
const usualWaiting: WaitingLimits = { requests: 100, bytes: 16 * 1024 * 1024 }

/** Whatever else a client would like to speak, it gets HTTP/1.1. */
const isWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket'

/** Starts the activator: traffic for a project wakes or makes its sandbox, waits for it, and goes on to it. */
export async function startActivator(options: ActivatorOptions): Promise<Activator> {
  const { host = '127.0.0.1', port = 0, log } = options
  const { door, activity } = partsOf(options)
  const server = createServer({ ...limits, shouldUpgradeCallback: isWebSocket })
  server.maxConnections = mostConnections
  const switched = new Set<Duplex>()
  let closing = false
  server.on('request', (request, response) => {
    if (closing) response.shouldKeepAlive = false
    serve(door, request, response).catch((error: unknown) => refuse(response, refusalOf(error, log)))
  })
  server.on('upgrade', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    switched.add(client)
    client.on('close', () => switched.delete(client))
    client.on('error', () => client.destroy())
    upgrade(door, request, client, head).catch((error: unknown) => refuseRaw(client, refusalOf(error, log)))
  })
  await listen(server, host, port)
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    async close(graceMs = usualGraceMs) {
      closing = true
      const closed = new Promise(resolve => server.close(resolve))
      const cancel = setTimeout(() => cut(server, switched), graceMs)
      await closed
      clearTimeout(cancel)
      activity.stop()
    }
  }
}

function partsOf(options: ActivatorOptions): { readonly door: Door; readonly activity: Activity } {
  const { scheduler, log, registry, clock = systemClock, tenant = '', startMs = 30_000 } = options
  const { domain = 'sandbox.localhost', allowedTargets = [], waiting = {}, idleTimeoutMs } = options
  const room = new WaitingRoom({ ...usualWaiting, ...waiting })
  const targets = new Targets(allowedTargets)
  const waker = new Waker({ scheduler, targets, clock, log, tenant, startMs, idleTimeoutMs })
  const activity = new Activity(scheduler, clock, log)
  const metrics = new Metrics(registry, room)
  return { door: new Door({ ...{ room, waker, activity, metrics, domain, highWaterMark } }), activity }
}

async function serve(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (await door.answersItself(request, response)) return
  const passage = await door.open(request, response)
  if (passage) over(passage, () => exchange(passage, response))
}

async function upgrade(door: Door, request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  const passage = await door.open(request, client)
  if (passage) over(passage, () => switchOver(passage, client, head))
}

/** What cannot be sent leaves no connection behind. */
function over({ socket }: Passage, send: () => void): void {
  try {
    send()
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function refusalOf(error: unknown, log: Log): Refused {
  if (error instanceof Refused) return error
  log.warn({ why: reasonOf(error) }, 'failed to send a request on')
  return new Refused(500, 'failed to send the request on; the log says why')
}

function cut(server: Server, switched: ReadonlySet<Duplex>): void {
  server.closeAllConnections()
  for (const client of switched) client.destroy()
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new UsageError(`cannot listen on ${host}:${port}: ${reasonOf(error)}`))
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}
