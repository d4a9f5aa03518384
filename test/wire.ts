import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { buildApp } from '../extender/app.ts'
import { systemClock } from '../extender/clock.ts'
import { Listener } from '../extender/listener.ts'
import { PairHealth } from '../extender/telemetry/health.ts'
import { Certificates } from '../extender/tls.ts'
import { type Certificates as Authority, certificates } from './kubernetes/certificates.ts'
import { type Recorded, recorded } from './verbs/recording-gangs.ts'

export type Answer = { readonly status: number; readonly text: string }
/** A client of the verbs, over one protocol. */
export type Client = {
  readonly call: (path: string, body?: string, headers?: Readonly<Record<string, string>>) => Promise<Answer>
  /** Of HTTP/2 only. */
  readonly session?: ClientHttp2Session
}

export type Identity = { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer }

export type Wire = {
  readonly url: string
  readonly port: number
  readonly verbs: Recorded
  readonly registry: Registry
  readonly listener: Listener
  /** What was logged, as objects. */
  readonly lines: readonly { readonly level: number; readonly msg: string }[]
  /** How many connections were taken. */
  readonly taken: () => number
  readonly server: Server
  readonly identity: Identity
}

export type WireOptions = {
  readonly authority?: Authority | undefined
  /** Asks for clients' certificates. */
  readonly mutual?: boolean
  readonly clientNames?: readonly string[]
  readonly lookMs?: number
}

let authority: Authority | undefined

/** A CA with certificates for `server` and `kube-scheduler`; undefined where openssl is missing. */
export function pki(): Authority | undefined {
  if (authority) return authority
  authority = certificates()
  authority?.issue('server', 'DNS:localhost,IP:127.0.0.1')
  authority?.issue('kube-scheduler', 'DNS:scheduler.example.com,URI:spiffe://cluster/kube-scheduler')
  return authority
}

/** The real app behind the real listener, over TLS where there is an authority. */
export async function wire(t: Test, options: WireOptions = {}): Promise<Wire> {
  const { authority, mutual = false, clientNames = [], lookMs } = options
  const lines: { level: number; msg: string }[] = []
  const logger = pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const [verbs, registry] = [recorded(), new Registry()]
  const path = (name: string): string => join(authority?.folder ?? '', name)
  const files = { cert: path('server.crt'), key: path('server.key') }
  const own = authority && {
    ...{ registry, log: logger, ...(lookMs !== undefined && { lookMs }) },
    files: { ...files, clientCa: mutual ? path('ca.crt') : undefined, clientNames }
  }
  const certificates = own && new Certificates(own)
  const listener = new Listener({ what: 'extender', log: logger, certificates, clientNames })
  const reports = { gangs: () => [], gang: () => undefined, pod: () => undefined } as never
  const app = buildApp(
    { verbs, reports, checks: [], pair: new PairHealth(systemClock, []), registry, logger },
    listener.factory
  )
  let taken = 0
  app.server.on('connection', () => (taken += 1))
  const url = await listener.open(app, { host: '127.0.0.1', port: 0 })
  t.teardown(() => listener.close(0))
  const identity = authority ? identityOf(authority, mutual ? 'kube-scheduler' : undefined) : {}
  return {
    ...{
      url,
      server: app.server,
      port: Number(new URL(url).port),
      verbs,
      registry,
      listener,
      lines,
      taken: () => taken,
      identity
    }
  }
}

/** What a client of that name trusts and shows. */
export function identityOf(authority: Authority, name?: string): Identity {
  const ca = authority.read('ca.crt')
  return name === undefined ? { ca } : { ca, cert: authority.read(`${name}.crt`), key: authority.read(`${name}.key`) }
}

/** Over HTTP/1.1, on as many connections as there are calls at a time. */
export function http1(t: Test, { url, identity }: Pick<Wire, 'url' | 'identity'>, connections?: number): Client {
  const dispatcher = new Agent({ allowH2: false, connect: { ...identity }, connections: connections ?? null })
  t.teardown(() => dispatcher.destroy())
  return {
    call: async (path, body, headers = {}) => {
      const all = { 'content-type': 'application/json', ...headers }
      const options = { dispatcher, method: body === undefined ? 'GET' : 'POST', headers: all } as const
      const answer = await request(url + path, { ...options, ...(body !== undefined && { body }) })
      return { status: answer.statusCode, text: await answer.body.text() }
    }
  }
}

/** Over HTTP/2, all calls on one connection. */
export async function http2(t: Test, { url, identity }: Pick<Wire, 'url' | 'identity'>): Promise<Client> {
  const session = connect(url, { ...identity })
  t.teardown(() => session.destroy())
  session.on('error', () => {})
  await once(session, 'connect')
  return { session, call: (path, body, headers) => http2Call(session, path, body, headers) }
}

async function http2Call(
  session: ClientHttp2Session,
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {}
): Promise<Answer> {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const stream = session.request({
    ...{ [constants.HTTP2_HEADER_METHOD]: body === undefined ? 'GET' : 'POST', [constants.HTTP2_HEADER_PATH]: path },
    ...{ 'content-type': 'application/json', ...length, ...headers }
  })
  const { promise, resolve, reject } = Promise.withResolvers<{ ':status'?: number }>()
  stream.on('response', resolve).on('error', reject)
  stream.on('close', () =>
    reject(Object.assign(new Error('closed without an answer'), { code: `RST_${stream.rstCode}` }))
  )
  stream.end(body)
  const { ':status': status = 0 } = await promise
  return { status, text: await text(stream) }
}

/** A kubeconfig for that port of this host. */
export function kubeconfigOf(port: number): string {
  const cluster = { clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }] }
  const context = { contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }], 'current-context': 'c' }
  return JSON.stringify({ ...cluster, ...context, users: [{ name: 'u', user: {} }] })
}
