import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { sandboxIdOf } from '../../../extender/sandboxes/identity.ts'
import {
  type Sandbox,
  SandboxSchema,
  State
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import {
  type CreateSandboxRequest,
  SchedulerService
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { refusal } from '../../../extender/sandboxes/refusals.ts'
import { type RunningServer, startServer } from '../../../extender/sandboxes/server.ts'

/** What a cluster does with a create, and with every other call where that is said. */
export type Manner =
  | 'serves'
  /** It answers that it takes no more. */
  | 'saturated'
  /** It answers that it cannot. */
  | 'unavailable'
  /** It does what it is asked, and the connection breaks before the answer. */
  | 'does and resets'
  /** The connection breaks before anything is done. */
  | 'resets'
  /** It does nothing until `proceed()`, then all of it, whether or not somebody still waits. */
  | 'stalls'
  /** Every call breaks. */
  | 'breaks'

/** The scheduler of one cluster, over real sockets, with sandboxes in memory that outlive its process. */
export class FakeCluster {
  readonly name: string
  manner: Manner = 'serves'
  /** Retry-After where it is saturated. */
  retryAfterMs = 7_000
  /** What it was asked, in order: `create shop`, `get`, `release`. */
  readonly calls: string[] = []
  readonly sandboxes = new Map<string, Sandbox>()
  readonly #waiting: (() => void)[] = []
  #server: RunningServer | undefined
  #app: FastifyInstance | undefined
  #socket: Socket | undefined
  #port = 0

  constructor(name: string) {
    this.name = name
  }

  static async start(t: Test, name: string): Promise<FakeCluster> {
    const cluster = new FakeCluster(name)
    await cluster.revive()
    t.teardown(() => cluster.kill())
    return cluster
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Its process ends: whoever calls is refused. */
  async kill(): Promise<void> {
    this.proceed()
    const closed = this.#server?.close()
    this.#app?.server.closeAllConnections()
    await closed
  }

  /** Its process starts again, where it was before. */
  async revive(): Promise<void> {
    this.#server = await startServer({
      log: pino({ level: 'silent' }),
      registry: new Registry(),
      port: this.#port,
      services: router => this.#services(router),
      routes: app => {
        this.#app = app
        app.addHook('onRequest', async ({ raw }) => void (this.#socket = raw.socket))
      }
    })
    this.#port = Number(new URL(this.#server.url).port)
  }

  /** Calls that stall go on. */
  proceed(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  get stalled(): number {
    return this.#waiting.length
  }

  /** Sandboxes that have not ended. */
  get live(): readonly Sandbox[] {
    return [...this.sandboxes.values()].filter(({ state }) => state !== State.TERMINATED)
  }

  count(call: string): number {
    return this.calls.filter(each => each.startsWith(call)).length
  }

  #services(router: ConnectRouter): void {
    router.service(SchedulerService, {
      createSandbox: (request, context) => this.#create(request, context),
      getSandbox: request => ({ sandbox: this.#called('get', request) }),
      touchSandbox: request => ({ sandbox: this.#called('touch', { ...request, projectId: '' }) }),
      retainSandbox: request => {
        const sandbox = this.#called('retain', request)
        sandbox.retainCount += 1
        return { sandbox }
      },
      releaseSandbox: request => {
        const sandbox = this.#called('release', request)
        sandbox.state = State.TERMINATED
        return { sandbox }
      },
      listSandboxes: ({ pageSize, pageToken }) => {
        this.#broken('list')
        const all = [...this.sandboxes.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
        const rest = all.filter(({ id }) => id > pageToken)
        const sandboxes = rest.slice(0, pageSize || 100)
        return { sandboxes, nextPageToken: rest.length > sandboxes.length ? (sandboxes.at(-1)?.id ?? '') : '' }
      },
      watchSandboxes: (_request, context) => this.#watch(context.signal)
    })
  }

  async #create(request: CreateSandboxRequest, { responseHeader }: HandlerContext) {
    this.#broken(`create ${request.projectId}`)
    if (this.manner === 'saturated')
      throw refusal(Code.ResourceExhausted, 'no_cluster', 'the quota is used up', { retryAfterMs: this.retryAfterMs })
    if (this.manner === 'unavailable') throw refusal(Code.Unavailable, 'kubernetes_unavailable', 'no API server')
    const [socket, breaks] = [this.#socket, this.manner === 'does and resets']
    if (this.manner === 'resets') return this.#reset(socket)
    if (this.manner === 'stalls') await new Promise<void>(resolve => this.#waiting.push(resolve))
    const known = this.sandboxes.get(sandboxIdOf(request))
    const created = !known || (known.state === State.TERMINATED && request.idempotencyKey === '')
    const sandbox = created ? this.#made(request) : known
    if (!created) responseHeader.set('idempotent-replayed', 'true')
    return breaks ? this.#reset(socket) : { sandbox, created }
  }

  #reset(socket: Socket | undefined): Promise<never> {
    socket?.resetAndDestroy()
    return new Promise(() => {})
  }

  #made({ projectId, tenant, idempotencyKey }: CreateSandboxRequest): Sandbox {
    const id = sandboxIdOf({ projectId, tenant, idempotencyKey })
    const fields = { id, projectId, tenant, uid: randomUUID(), state: State.READY, cluster: this.name }
    const sandbox = create(SandboxSchema, { ...fields, createdAt: timestampFromMs(Date.now()) })
    this.sandboxes.set(id, sandbox)
    return sandbox
  }

  #called(call: string, { id, projectId, tenant }: { id: string; projectId: string; tenant: string }): Sandbox {
    this.#broken(call)
    const name = id || sandboxIdOf({ projectId, tenant, idempotencyKey: '' })
    const sandbox = this.sandboxes.get(name)
    if (!sandbox) throw refusal(Code.NotFound, 'not_found', `there is no sandbox ${name}`, { subject: name })
    return sandbox
  }

  #broken(call: string): void {
    this.calls.push(call)
    if (this.manner !== 'breaks') return
    this.#socket?.resetAndDestroy()
    throw refusal(Code.Unavailable, 'closing', 'broken')
  }

  async *#watch(signal: AbortSignal) {
    for (const sandbox of this.sandboxes.values()) yield { sandbox }
    await new Promise(resolve => signal.addEventListener('abort', resolve))
  }
}
