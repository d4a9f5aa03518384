import { createServer, type Server } from 'node:http'
import type { ApiClient } from './client.ts'

/** An extender that takes every node and binds at once: what muster is compared with, and what tries the proxies. */
export class NaiveExtender {
  /** The errors of failed Bindings. */
  readonly errors: string[] = []
  readonly #client: ApiClient
  readonly #server: Server

  constructor(client: ApiClient) {
    this.#client = client
    this.#server = createServer((from, to) => {
      let body = ''
      from.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      from.on('end', () => {
        this.#answer(from.url ?? '', JSON.parse(body) as Args).then(
          answer => to.end(JSON.stringify(answer)),
          () => to.destroy()
        )
      })
    })
  }

  async start(port: number): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(port, '127.0.0.1', resolve))
    return this
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(url: string, args: Args): Promise<object> {
    if (url.endsWith('/filter')) return { NodeNames: args.NodeNames, Nodes: null, FailedNodes: {}, Error: '' }
    if (url.endsWith('/preempt')) return { NodeNameToMetaVictims: {} }
    try {
      await this.#client.create(`/api/v1/namespaces/${args.PodNamespace}/pods/${args.PodName}/binding`, {
        metadata: { name: args.PodName, uid: args.PodUID },
        target: { kind: 'Node', name: args.Node }
      })
      return { Error: '' }
    } catch (error) {
      this.errors.push(String(error))
      return { Error: String(error) }
    }
  }
}

interface Args {
  readonly NodeNames?: readonly string[]
  readonly PodName?: string
  readonly PodNamespace?: string
  readonly PodUID?: string
  readonly Node?: string
}
