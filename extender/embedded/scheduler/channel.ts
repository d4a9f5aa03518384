import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { type Json, text } from './json.ts'

/** Go's transport keeps idle connections so long. */
const idleMs = 90_000

/** The way to one extender. Tests and the simulator bring their own. */
export interface Channel {
  /** One call, given up when the signal is aborted; throws where no answer comes. */
  post(url: string, body: string, signal: AbortSignal): Promise<{ readonly status: number; readonly text: string }>
  /** Cuts off what is under way. */
  close(): Promise<void>
}

/** Opens the way to an extender with that `tlsConfig`. */
export type OpenChannel = (tls: Json) => Channel

/** Over HTTP, as Go's client does. */
export const httpChannel: OpenChannel = tls => {
  const dispatcher = new Agent({
    ...{ keepAliveTimeout: idleMs, headersTimeout: 0, bodyTimeout: 0 },
    connect: connectionOf(tls)
  })
  return {
    async post(url, sent, signal) {
      const headers = { 'content-type': 'application/json' }
      const { statusCode, body } = await request(url, { method: 'POST', headers, body: sent, dispatcher, signal })
      return { status: statusCode, text: await body.text() }
    },
    close: () => dispatcher.destroy()
  }
}

/** Without a CA every certificate is taken: the scheme alone turns TLS on. */
function connectionOf(tls: Json): object {
  const part = (name: string): Buffer | undefined => {
    if (text(tls[`${name}Data`]) !== '') return Buffer.from(text(tls[`${name}Data`]), 'base64')
    return text(tls[`${name}File`]) === '' ? undefined : readFileSync(text(tls[`${name}File`]))
  }
  const [ca, cert, key] = [part('ca'), part('cert'), part('key')]
  return {
    rejectUnauthorized: ca !== undefined && tls.insecure !== true,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(text(tls.serverName) !== '' && { servername: text(tls.serverName) })
  }
}
