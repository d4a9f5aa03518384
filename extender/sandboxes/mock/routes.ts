import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { type Config, envIn } from './config.ts'

/** What routes know. */
export type Mock = {
  readonly name: string
  readonly config: Config
  readonly log: (line: string) => void
  stopping: boolean
}

type Route = (mock: Mock, request: IncomingMessage, response: ServerResponse) => void

const mostConfigBytes = 64 * 1024

/** `/healthz`, `/_config`, `/echo`; every other path tells whose sandbox answers. */
export function answer(mock: Mock, request: IncomingMessage, response: ServerResponse): void {
  const [path = '/'] = (request.url ?? '/').split('?')
  const route = routes.get(path) ?? identity
  route(mock, request, response)
}

const health: Route = (mock, _request, response) =>
  mock.stopping ? send(response, 503, { error: 'it stops' }) : send(response, 200, { ok: true })

const identity: Route = (mock, request, response) => {
  const { name, config } = mock
  request.resume()
  send(response, 200, {
    ...{ sandbox: config.sandbox, project: config.project, pod: name },
    ...{ method: request.method, path: request.url, env: Object.keys(config.env).toSorted() }
  })
}

/** The body comes back as it comes in. */
const echo: Route = (_mock, request, response) => {
  response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' })
  pipeline(request, response, () => {})
}

const configure: Route = (mock, request, response) => {
  if (request.method !== 'POST') return send(response, 405, { error: '/_config takes POST' })
  const chunks: Buffer[] = []
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= mostConfigBytes) chunks.push(chunk)
  })
  request.on('end', () => {
    if (size > mostConfigBytes)
      return send(response, 413, { error: `a configuration has at most ${mostConfigBytes} bytes` })
    take(mock, Buffer.concat(chunks).toString(), response)
  })
}

function take({ config, log }: Mock, text: string, response: ServerResponse): void {
  const env = envIn(text)
  if (typeof env === 'string') return send(response, 400, { error: env })
  if (!config.give(env)) return send(response, 409, { error: 'another configuration was given before' })
  log(`configured for project ${config.project || '(none)'}: ${Object.keys(env).toSorted().join(', ') || 'nothing'}`)
  send(response, 200, { sandbox: config.sandbox, project: config.project })
}

const routes: ReadonlyMap<string, Route> = new Map([
  ['/healthz', health],
  ['/_config', configure],
  ['/echo', echo]
])

function send(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
