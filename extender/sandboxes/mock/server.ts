import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Config } from './config.ts'
import { answer, type Mock } from './routes.ts'

export type MockOptions = {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** The pod's name. */
  readonly name: string
  /** SANDBOX_ID and SANDBOX_PROJECT of it are told to whoever asks; a warm pod learns them at `/_config`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: (line: string) => void
}

export type MockSandbox = {
  readonly url: string
  /** Takes no more connections, answers what is under way, and ends what is left when that time is over. */
  stop(graceMs: number): Promise<void>
}

const limits = { headersTimeout: 5_000, requestTimeout: 60_000, keepAliveTimeout: 5_000, maxHeaderSize: 16 * 1024 }
const mostConnections = 512

/** A sandbox that only tells whose it is: what demos and tests run in place of a real one. */
export async function startMock({ host, port, name, env, log }: MockOptions): Promise<MockSandbox> {
  const mock: Mock = { name, config: new Config(env), log, stopping: false }
  const server = createServer(limits, (request, response) => {
    if (mock.stopping) response.setHeader('connection', 'close')
    answer(mock, request, response)
  })
  server.maxConnections = mostConnections
  await listen(server, host, port)
  const bound = server.address() as AddressInfo
  const url = `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`
  log(`the mock sandbox listens at ${url}`)
  return {
    url,
    async stop(graceMs) {
      mock.stopping = true
      const closed = new Promise(resolve => server.close(resolve))
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
      log('the mock sandbox has stopped')
    }
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
