import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerRequest, type ServerHttp2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import type { Clock } from './clock.ts'

/** A client that is told that the connection ends has so long to notice; what it sends until then is answered. */
const noticeMs = 250
/** One that has not even read that far gets this long; Go's servers wait a second as well. */
const unreadMs = 1_000
/** Servers may let go of a client that has asked nothing for so long; Go's clients leave after 90 s. */
export const idleMs = 120_000
/** The largest number of a stream: all that come are still served. */
const lastStream = 2 ** 31 - 1

/** One connection of HTTP/1.1: how many of its requests have no answer, and since when there is none. */
type Line = { asked: number; since: number; last: boolean }
type Session = { streams: number; last: boolean }

/** The connections of a port, so that each can be brought to its end without cutting off what is under way. */
export class Connections {
  readonly #clock: Clock
  /** Whatever was accepted, handshakes too. */
  readonly #sockets = new Set<Socket>()
  readonly #lines = new Map<Socket, Line>()
  readonly #sessions = new Map<ServerHttp2Session, Session>()
  #closing = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Those that are past their handshake. */
  get size(): number {
    return this.#lines.size + this.#sessions.size
  }

  /** Follows every connection of a server from now on. */
  follow(server: Server, lines: 'connection' | 'secureConnection'): void {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.prependListener(lines, (socket: Socket & { alpnProtocol?: unknown }) => {
      if (socket.alpnProtocol !== 'h2') this.#line(socket)
    })
    server.on('session', (session: ServerHttp2Session) => this.#session(session))
    server.on('request', (request: IncomingMessage | Http2ServerRequest, response: ServerResponse) => {
      if (!('stream' in request)) this.#asked(request.socket, response)
    })
  }

  /** Whether this request of HTTP/1.1 is the last one of its connection, and its answer must say so. */
  isLast(socket: Socket): boolean {
    return this.#lines.get(socket)?.last ?? false
  }

  /** Every connection ends after what is under way; new ones are not concerned. */
  retire(): void {
    for (const line of this.#lines.values()) line.last = true
    for (const session of this.#sessions.keys()) this.#end(session)
  }

  /** From now on every connection ends as soon as it can. */
  close(): void {
    this.#closing = true
    this.retire()
  }

  /** Ends connections of HTTP/1.1 that were told so, or had the time to notice, and ask nothing. */
  endIdle(): void {
    const now = this.#clock.now()
    for (const [socket, { asked, since }] of this.#lines) {
      if (asked === 0 && now - since >= noticeMs) socket.destroySoon()
    }
  }

  /** Ends what is left. */
  destroy(): void {
    for (const session of this.#sessions.keys()) session.destroy()
    for (const socket of [...this.#lines.keys(), ...this.#sockets]) socket.destroy()
  }

  #line(socket: Socket): void {
    this.#lines.set(socket, { asked: 0, since: this.#clock.now(), last: this.#closing })
    socket.once('close', () => this.#lines.delete(socket))
  }

  #asked(socket: Socket, response: ServerResponse): void {
    const line = this.#lines.get(socket)
    if (!line) return
    line.asked += 1
    response.once('close', () => {
      line.asked -= 1
      line.since = this.#clock.now()
    })
  }

  #session(session: ServerHttp2Session): void {
    const state = { streams: 0, last: false }
    this.#sessions.set(session, state)
    session.once('close', () => this.#sessions.delete(session))
    session.on('stream', stream => {
      state.streams += 1
      stream.once('close', () => (state.streams -= 1))
    })
    // Never under a bind that waits, however long.
    session.setTimeout(idleMs, () => {
      if (state.streams === 0) this.#end(session)
    })
    if (this.#closing) this.#end(session)
  }

  /**
   * Says that no stream is wanted any more, and only later which one was the last: a moment after the client has
   * answered a ping, since one that was slow to read has sent by then what it began before it knew (RFC 9113, 6.8).
   */
  #end(session: ServerHttp2Session): void {
    const state = this.#sessions.get(session)
    if (!state || state.last || session.closed || session.destroyed) return
    state.last = true
    session.goaway(constants.NGHTTP2_NO_ERROR, lastStream)
    const close = (): void => session.close()
    this.#clock.after(unreadMs, close)
    session.ping(() => this.#clock.after(noticeMs, close))
  }
}
