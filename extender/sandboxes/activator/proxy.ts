import { type IncomingMessage, request as httpRequest, type ServerResponse, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type Duplex, pipeline } from 'node:stream'
import { Refused, refuse } from './answers.ts'
import { endToEnd } from './headers.ts'
import type { Target } from './targets.ts'

/** A connection to a sandbox, and what goes over it. */
export type Passage = {
  readonly socket: Socket
  readonly request: IncomingMessage
  readonly path: string
  /** Told of all that goes through. */
  readonly used: () => void
}

const connectMs = 5_000
/** An exchange of which nothing moves for so long is cut off. */
const quietMs = 300_000
const bodiless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

/** Opens a connection; nothing is sent before it stands, so that another one can be tried. */
export function dial({ address, port }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true })
    const late = (): unknown => socket.destroy(new Error(`no connection within ${connectMs} ms`))
    socket.setTimeout(connectMs, late)
    // It stays: between two owners, a connection may break as well.
    socket.on('error', reject)
    socket.once('connect', () => {
      socket.off('timeout', late).setTimeout(quietMs, () => socket.destroy(new Error('nothing came for too long')))
      resolve(socket)
    })
  })
}

/** Sends a request on, and its answer back, piece by piece. */
export function exchange(passage: Passage, response: ServerResponse): void {
  const { socket, request, path, used } = passage
  const upstream = httpRequest({
    ...{ createConnection: () => socket, method: request.method, path },
    headers: [...headersOf(request), ...framingOf(request), 'connection', 'close']
  })
  const broken = (why: string): void => refuse(response, new Refused(502, `the sandbox does not answer: ${why}`))
  upstream.on('error', error => broken(error.message))
  // Also where it switched to something that nobody asked for: then there is no error, and no answer either.
  upstream.on('close', () => response.headersSent || broken('it closed the connection'))
  upstream.on('response', answer => {
    used()
    answer.on('data', used)
    const status = statusOf(answer)
    if (status === undefined) return broken(`its status is ${answer.statusCode}`)
    // Not its reason phrase: a sandbox may put there what Node refuses to write.
    response.writeHead(status, endToEnd(answer.rawHeaders))
    pipeline(answer, response, () => socket.destroy())
  })
  response.on('close', () => socket.destroy())
  request.on('data', used)
  // No pipeline: it would take the client's connection down with the sandbox's, and nobody could tell why.
  request.pipe(upstream)
}

/** Sends a request on that asks for a WebSocket; once the sandbox agrees, the two connections are one. */
export function switchOver(passage: Passage, client: Duplex, head: Buffer): void {
  const { socket, request, path, used } = passage
  const upstream = httpRequest({
    ...{ createConnection: () => socket, method: request.method, path },
    headers: [...headersOf(request), 'connection', 'upgrade', 'upgrade', 'websocket']
  })
  upstream.on('error', error => refuseRaw(client, new Refused(502, `the sandbox does not answer: ${error.message}`)))
  client.on('close', () => socket.destroy())
  upstream.on('response', answer => {
    client.write(headOf(statusOf(answer) ?? 502, answer, ['connection', 'close']))
    pipeline(answer, client, () => socket.destroy())
  })
  upstream.on('upgrade', (answer, _socket, first) => {
    used()
    // A WebSocket may be silent for as long as both sides like.
    socket.setTimeout(0)
    client.write(headOf(101, answer, ['connection', 'upgrade', 'upgrade', 'websocket']))
    socket.unshift(first)
    client.unshift(head)
    for (const side of [socket, client]) side.on('data', used)
    pipeline(client, socket, () => {})
    pipeline(socket, client, () => client.destroy())
  })
  upstream.end()
}

/** Answers with a refusal where there is no response to write to. */
export function refuseRaw(client: Duplex, refused: Refused): void {
  const { headers, body } = refused.parts
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  client.end(`HTTP/1.1 ${refused.status} Refused\r\n${lines.join('')}\r\n${body}`)
}

function headersOf(request: IncomingMessage): string[] {
  const before = request.headers['x-forwarded-for']
  const from = [...(before === undefined ? [] : [before]), request.socket.remoteAddress ?? 'unknown'].join(', ')
  const forwarded = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']
  const proto = request.headers['x-forwarded-proto'] ?? 'http'
  const ours = ['x-forwarded-for', from, 'x-forwarded-host', request.headers.host ?? '', 'x-forwarded-proto', proto]
  return [...endToEnd(request.rawHeaders, forwarded), ...ours.flat()]
}

/** How the sandbox knows where the body ends; its length is a header that went on already. */
function framingOf({ headers, method = 'GET' }: IncomingMessage): string[] {
  if (headers['transfer-encoding'] !== undefined) return ['transfer-encoding', 'chunked']
  if (headers['content-length'] !== undefined || bodiless.has(method)) return []
  return ['content-length', '0']
}

/** The status of a final answer; undefined for what is none. */
function statusOf({ statusCode = 0 }: IncomingMessage): number | undefined {
  return statusCode >= 200 && statusCode <= 999 ? statusCode : undefined
}

function headOf(status: number, answer: IncomingMessage, last: readonly string[]): string {
  const all = [...endToEnd(answer.rawHeaders), ...last]
  const lines = all.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`))
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`
}
