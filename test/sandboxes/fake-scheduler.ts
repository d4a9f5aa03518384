import { randomUUID } from 'node:crypto'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { type Sandbox, SandboxSchema, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { startServer } from '../../extender/sandboxes/server.ts'
import { untilTrue } from '../embedded/until.ts'

type Fields = MessageInitShape<typeof SandboxSchema>

/** A SchedulerService over real sockets, with one sandbox a project that is as ready as the test says. */
export class FakeScheduler {
  url = ''
  /** What it was asked, by name. */
  readonly calls: string[] = []
  /** What new sandboxes are like. */
  fields: Fields = { state: State.PENDING }
  /** Thrown in place of an answer to a creation. */
  refusal: ConnectError | undefined
  readonly #sandboxes = new Map<string, Sandbox>()

  static async start(t: Test): Promise<FakeScheduler> {
    const fake = new FakeScheduler()
    const services = fake.#services()
    const server = await startServer({ log: pino({ level: 'silent' }), registry: new Registry(), services })
    t.teardown(() => server.close())
    fake.url = server.url
    return fake
  }

  count(name: string): number {
    return this.calls.filter(call => call === name).length
  }

  /** Changes the sandbox of a project, as time does, once somebody has asked for it. */
  async set(project: string, fields: Fields): Promise<void> {
    await untilTrue(`somebody asks for ${project}`, () => this.#sandboxes.has(project))
    this.#change(project, fields)
  }

  #change(project: string, fields: Fields): void {
    const sandbox = this.#sandboxes.get(project)
    this.#sandboxes.set(project, create(SandboxSchema, { ...sandbox, ...fields } as Fields))
  }

  #services(): NonNullable<Parameters<typeof startServer>[0]['services']> {
    return router => {
      router.service(SchedulerService, {
        createSandbox: request => {
          this.calls.push('create')
          if (this.refusal) throw this.refusal
          const { idempotencyKey, projectId, ttl, idleTimeout, tenant } = request
          const wishes = { ...(ttl && { ttl }), ...(idleTimeout && { idleTimeout }) }
          return this.#create(idempotencyKey || projectId, { projectId, tenant, ...wishes })
        },
        getSandbox: ({ id, projectId }) => {
          this.calls.push('get')
          return { sandbox: this.#byId(id === '' ? `sbx-${projectId}` : id) }
        },
        listSandboxes: ({ projectId, pageToken }) => {
          this.calls.push('list')
          const all = [...this.#sandboxes.values()].filter(each => projectId === '' || each.projectId === projectId)
          const at = Number(pageToken)
          return { sandboxes: all.slice(at, at + 1), nextPageToken: at + 1 < all.length ? String(at + 1) : '' }
        },
        touchSandbox: ({ id }) => {
          this.calls.push('touch')
          return { sandbox: this.#byId(id) }
        },
        retainSandbox: ({ id }) => {
          this.calls.push('retain')
          const { retainCount, projectId } = this.#byId(id)
          this.#change(projectId, { retainCount: retainCount + 1 })
          return { sandbox: this.#byId(id) }
        },
        releaseSandbox: ({ id }) => {
          this.calls.push('release')
          this.#change(this.#byId(id).projectId, { state: State.TERMINATED })
          return { sandbox: this.#byId(id) }
        }
      })
    }
  }

  #create(identity: string, fields: Fields): { sandbox: Sandbox; created: boolean } {
    const known = this.#sandboxes.get(identity)
    if (known && known.state !== State.TERMINATED) return { sandbox: known, created: false }
    const id = `sbx-${identity}`
    const sandbox = create(SandboxSchema, { ...fields, id, uid: randomUUID(), ...this.fields } as Fields)
    this.#sandboxes.set(identity, sandbox)
    return { sandbox, created: true }
  }

  #byId(id: string): Sandbox {
    const sandbox = [...this.#sandboxes.values()].find(each => each.id === id)
    if (!sandbox) throw new ConnectError(`there is no sandbox ${id}`, Code.NotFound)
    return sandbox
  }
}
