import type { DescService } from '@bufbuild/protobuf'
import { type Client, createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { request } from 'undici'
import { type ServerOptions, startServer } from '../../extender/sandboxes/server.ts'

/** Parsed JSON, of which a test knows what it is. */
export type Loose = ReturnType<typeof JSON.parse>
export type Answer = { readonly status: number; readonly body: Loose; readonly headers: Record<string, Loose> }

/** A log of which a test can read the lines. */
export function recordingLog() {
  const lines: Loose[] = []
  const log = pino({ base: null, level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  return { log, lines }
}

/** A server on a free port; it ends with the test. */
export async function serve(t: Test, options: Partial<ServerOptions>) {
  const { log, lines } = recordingLog()
  const registry = options.registry ?? new Registry()
  const server = await startServer({ ...options, log, registry })
  t.teardown(() => server.close())
  return { ...server, lines, registry, ...clientOf(server.url) }
}

/** How to ask a server: over Connect, or plainly. The body: an object as JSON, text as it is. */
export function clientOf(url: string) {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: '1.1' })
  return {
    client: <T extends DescService>(service: T): Client<T> => createClient(service, transport),
    ask: async (method: string, path: string, body?: object | string, headers: Record<string, string> = {}) => {
      const typed = body === undefined ? {} : { 'content-type': 'application/json' }
      const answer = await request(url + path, {
        method: method as 'GET',
        headers: { ...typed, ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
      })
      const said = await answer.body.text()
      const isJson = String(answer.headers['content-type']).startsWith('application/json')
      return { status: answer.statusCode, body: isJson ? JSON.parse(said) : said, headers: answer.headers } as Answer
    }
  }
}
