import { Agent, request } from 'undici'
import { systemClock } from '../../extender/clock.ts'
import { type Credentials, loadCredentials } from '../../extender/kubernetes/credentials.ts'
import type { Access } from './credentials.ts'

/** What the API server answered when it did not do what was asked. */
export class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
  }
}

export type PatchType = 'merge' | 'json' | 'strategic'

const patchTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json'
}

/** A small client of the API server for tests: pooled, typed by the caller, without retries. */
export class ApiClient {
  readonly #url: string
  readonly #headers: Credentials['headers']
  readonly #agent: Agent

  constructor(access: Access | Reach, connections = 24) {
    const { url, headers, tls } = 'token' in access ? reachOf(access) : access
    this.#url = url
    this.#headers = headers
    this.#agent = new Agent({ connections, allowH2: false, connect: tls })
  }

  /** As whom a kubeconfig says, where it says. */
  static async of(kubeconfig: string): Promise<ApiClient> {
    const source = await loadCredentials(systemClock, kubeconfig)
    return new ApiClient({ url: source.server, ...(await source.current()) })
  }

  async get<T>(path: string): Promise<T> {
    return (await this.#send('GET', path)) as T
  }

  async create<T>(path: string, body: object): Promise<T> {
    return (await this.#send('POST', path, body)) as T
  }

  async patch<T>(path: string, body: object, type: PatchType = 'merge'): Promise<T> {
    return (await this.#send('PATCH', path, body, patchTypes[type])) as T
  }

  /** Deletes one object or, given a collection's path, all of its objects, without grace. */
  async delete(path: string): Promise<void> {
    await this.#send('DELETE', path, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 })
  }

  /** Text of a path that does not answer JSON, as /readyz. */
  async text(path: string): Promise<string> {
    const { statusCode, body } = await this.#request('GET', path)
    const text = await body.text()
    if (statusCode !== 200) throw new ApiError(statusCode, text)
    return text
  }

  /** The lines of a watch; ends when the server ends it. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const { statusCode, body } = await this.#request('GET', path, undefined, undefined, signal)
    if (statusCode !== 200) throw new ApiError(statusCode, await body.text())
    let rest = ''
    for await (const chunk of body.setEncoding('utf8')) {
      const parts = (rest + String(chunk)).split('\n')
      rest = parts.pop() ?? ''
      yield* parts
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #send(method: Method, path: string, body?: object, type = 'application/json'): Promise<unknown> {
    const answer = await this.#request(method, path, body, type)
    const text = await answer.body.text()
    if (answer.statusCode < 300) return JSON.parse(text)
    throw new ApiError(answer.statusCode, `${method} ${path}: ${answer.statusCode} ${messageOf(text)}`)
  }

  #request(method: Method, path: string, body?: object, type = 'application/json', signal?: AbortSignal) {
    return request(this.#url + path, {
      method,
      dispatcher: this.#agent,
      headers: { ...this.#headers, accept: 'application/json', 'content-type': type },
      body: body === undefined ? null : JSON.stringify(body),
      // A watch may be silent for long; everything else is bounded by the test's own deadlines.
      bodyTimeout: 0,
      ...(signal === undefined ? {} : { signal })
    })
  }
}

/** Where an API server is, and how to show who one is. */
interface Reach extends Credentials {
  readonly url: string
}

const reachOf = ({ url, token, ca }: Access): Reach => ({
  url,
  headers: { authorization: `Bearer ${token}` },
  tls: { ca }
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    return text
  }
}

/** Runs `task` for every item, `limit` at a time. */
export async function forEach<T>(items: readonly T[], limit: number, task: (item: T) => Promise<unknown>) {
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const item = items[next++]
      if (item !== undefined) await task(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
}
