import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

type Json = Record<string, unknown>

/** One request as it arrived. */
export type Received = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Json
}

/** What a script does with a request. */
export class Reply {
  readonly response: ServerResponse

  constructor(response: ServerResponse) {
    this.response = response
  }

  json(status: number, body: unknown, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { 'content-type': 'application/json', ...headers })
    this.response.end(JSON.stringify(body))
  }

  status(code: number, headers: Record<string, string> = {}, more: Json = {}): void {
    this.json(code, { kind: 'Status', code, message: `status ${code}`, ...more }, headers)
  }

  list(resourceVersion: string, items: unknown, next?: string): void {
    this.json(200, { kind: 'List', metadata: { resourceVersion, ...(next ? { continue: next } : {}) }, items })
  }

  /** Opens a watch; events follow with `event` or `raw`. */
  watch(): this {
    this.response.writeHead(200, { 'content-type': 'application/json' })
    this.response.flushHeaders()
    return this
  }

  event(type: string, object: unknown): this {
    return this.raw(`${JSON.stringify({ type, object })}\n`)
  }

  raw(chunk: string | Buffer): this {
    this.response.write(chunk)
    return this
  }

  end(): void {
    this.response.end()
  }

  reset(): void {
    this.response.socket?.resetAndDestroy()
  }
}

export type Script = (received: Received, reply: Reply) => void

export type FakeApiServer = {
  readonly url: string
  readonly requests: Received[]
  /** Connections ever made. */
  readonly connections: { count: number }
}

/** A real socket whose every answer is the script's; closed with the test. */
export async function fakeApiServer(
  t: Test,
  script: Script,
  tls?: { key: Buffer; cert: Buffer; ca?: Buffer; requestCert?: boolean }
): Promise<FakeApiServer> {
  const requests: Received[] = []
  const connections = { count: 0 }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const received = await read(request)
    requests.push(received)
    script(received, new Reply(response))
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response)
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  server.on(tls ? 'secureConnection' : 'connection', () => {
    connections.count += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, requests, connections }
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const url = new URL(request.url ?? '/', 'http://server')
  const body = text === '' ? {} : (JSON.parse(text) as Json)
  return { method: request.method ?? '', path: url.pathname, query: url.searchParams, headers: request.headers, body }
}
