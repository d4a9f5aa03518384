import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { reasonOf } from '../../errors.ts'
import type { Activity } from './activity.ts'
import { Refused } from './answers.ts'
import type { Metrics, Outcome } from './metrics.ts'
import { dial, type Passage } from './proxy.ts'
import { type Route, routeOf } from './route.ts'
import type { WaitingRoom } from './waiting-room.ts'
import type { Awake, Waker } from './waker.ts'

export type DoorParts = {
  readonly room: WaitingRoom
  readonly waker: Waker
  readonly activity: Activity
  readonly metrics: Metrics
  readonly domain: string
  /** So much of a body is read before somebody takes it. */
  readonly highWaterMark: number
}

/** What is answered to: a response, or a connection that is to be switched over. */
type Client = ServerResponse | Duplex
type Reached = { readonly awake: Awake; readonly socket: Socket; readonly outcome: Outcome }

/** Where requests come in: finds out for whom they are, and opens the way to the sandbox. */
export class Door {
  readonly #parts: DoorParts

  constructor(parts: DoorParts) {
    this.#parts = parts
  }

  /** Answers what is for nobody's sandbox: `/livez`, `/readyz`, `/metrics`. */
  async answersItself(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { domain, metrics } = this.#parts
    const [path] = (request.url ?? '/').split('?')
    if (routeOf(request.url ?? '/', request.headers, domain) !== undefined) return false
    if (path === '/metrics') {
      const text = await metrics.registry.metrics()
      response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text)
    } else if (path === '/livez' || path === '/readyz') response.writeHead(200).end('ok\n')
    else return false
    return true
  }

  /**
   * A connection to the sandbox that a request is for, made where there is none; undefined where the client has gone
   * meanwhile. Throws Refused.
   */
  async open(request: IncomingMessage, client: Client): Promise<Passage | undefined> {
    const { activity, metrics } = this.#parts
    const { project, path } = this.#routeOf(request)
    const { awake, socket, outcome } = await this.#reach(project, request, client)
    metrics.count(client.destroyed ? 'left' : outcome)
    if (client.destroyed) {
      socket.destroy()
      return undefined
    }
    const used = (): void => activity.used(awake.sandbox)
    used()
    return { socket, request, path, used }
  }

  #routeOf({ url = '/', headers }: IncomingMessage): Route {
    const { domain, metrics } = this.#parts
    const route = routeOf(url, headers, domain)
    if (typeof route === 'object') return route
    metrics.count('nobody')
    if (route !== undefined) throw new Refused(400, route)
    throw new Refused(
      404,
      `whose sandbox? name the project by the header X-Sandbox-Project, the host NAME.${domain} or the path /projects/NAME/`
    )
  }

  /** At once where the sandbox is known to be ready, else through the waiting room. */
  async #reach(project: string, request: IncomingMessage, client: Client): Promise<Reached> {
    const { waker } = this.#parts
    const awake = waker.known(project)
    const socket = awake && (await dial(awake.target).catch(() => undefined))
    if (awake && socket) return { awake, socket, outcome: 'sent' }
    waker.forget(project)
    return this.#wait(project, request, client)
  }

  async #wait(project: string, request: IncomingMessage, client: Client): Promise<Reached> {
    const { room, metrics, waker } = this.#parts
    const leave = room.enter(project, this.#bytesOf(request))
    if (!leave) {
      metrics.count('full')
      throw new Refused(429, `too much waits for the sandbox of ${project} to start`, 1)
    }
    client.once('close', leave)
    try {
      const awake = await waker.wake(project)
      return { awake, socket: await this.#dial(project, awake), outcome: 'woken' }
    } catch (error) {
      if (error instanceof Refused) metrics.count(error.status === 502 ? 'unreachable' : 'refused')
      throw error
    } finally {
      client.off('close', leave)
      leave()
    }
  }

  async #dial(project: string, { target }: Awake): Promise<Socket> {
    try {
      return await dial(target)
    } catch (error) {
      this.#parts.waker.forget(project)
      throw new Refused(502, `the sandbox of ${project} cannot be reached: ${reasonOf(error)}`, 1)
    }
  }

  /** What a waiting request holds: its head, and as much of its body as is read ahead. */
  #bytesOf({ rawHeaders, url = '', headers }: IncomingMessage): number {
    const { highWaterMark } = this.#parts
    const head = rawHeaders.reduce((sum, text) => sum + text.length, url.length)
    const declared = Number(headers['content-length'] ?? (headers['transfer-encoding'] === undefined ? 0 : Infinity))
    return head + Math.min(declared, highWaterMark)
  }
}
