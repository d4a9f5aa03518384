import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One call as it came in. */
export type Call = {
  readonly extender: string
  readonly verb: string
  readonly pod: string
  /** The nodes offered, by name or whole; the candidates of preempt; the node of bind. */
  readonly nodes: readonly string[]
  readonly body: Body
}

type Victims = Readonly<Record<string, { readonly Pods: readonly { readonly UID: string }[] }>>

/** What the scheduler sends, of all verbs. */
export type Body = {
  readonly Pod?: { readonly metadata: { readonly name: string } }
  readonly Nodes?: { readonly items: readonly { readonly metadata: { readonly name: string } }[] } | null
  readonly NodeNames?: readonly string[] | null
  readonly NodeNameToMetaVictims?: Victims | null
  readonly NodeNameToVictims?: Victims | null
  readonly PodName?: string
  readonly Node?: string
}

/** What to answer: an object is sent with 200, a number is a bare status; `never` keeps the scheduler waiting, other text is sent raw. */
export type Answer = object | number | string | null

type Script = (call: Call) => Answer | Promise<Answer>

/** An extender whose answers a test writes; without a script, filter passes all and bind says yes. */
export class FakeExtender {
  readonly name: string
  readonly calls: Call[]
  url = ''
  readonly #scripts: Record<string, Script>
  readonly #server: Server

  constructor(
    scripts: Record<string, Script> = {},
    { name = 'one', calls = [] }: { name?: string; calls?: Call[] } = {}
  ) {
    this.name = name
    this.calls = calls
    this.#scripts = scripts
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  async start(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  /** `verb pod nodes`, in the order of the calls. */
  get lines(): readonly string[] {
    return this.calls.map(({ verb, pod, nodes }) => `${verb} ${pod} ${nodes.join(',')}`.trim())
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const call = callOf(this.name, request.url ?? '', JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body)
    this.calls.push(call)
    const answer = await (this.#scripts[call.verb] ?? usual)(call)
    if (answer === 'never') return
    const isStatus = typeof answer === 'number'
    response.writeHead(isStatus ? answer : 200, { 'content-type': 'application/json' })
    if (isStatus) response.end('{}')
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  }
}

function callOf(extender: string, url: string, body: Body): Call {
  const victims = body.NodeNameToMetaVictims ?? body.NodeNameToVictims
  const offered = body.NodeNames ?? body.Nodes?.items.map(node => node.metadata.name)
  const nodes = offered ?? (victims ? Object.keys(victims) : [body.Node ?? ''])
  const verb = url.slice(url.lastIndexOf('/') + 1)
  return { extender, verb, pod: body.Pod?.metadata.name ?? body.PodName ?? '', nodes: nodes.toSorted(), body }
}

/** Passes what it was offered. */
const usual: Script = ({ verb, nodes }) => {
  if (verb === 'filter') return { NodeNames: nodes, Error: '' }
  if (verb === 'prioritize') return []
  return { Error: '' }
}
