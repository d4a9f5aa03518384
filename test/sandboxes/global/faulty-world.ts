import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, createRouterTransport, type Transport } from '@connectrpc/connect'
import type { Clock } from '../../../extender/clock.ts'
import type { Probe } from '../../../extender/sandboxes/global/clusters.ts'
import { sandboxIdOf } from '../../../extender/sandboxes/identity.ts'
import {
  type Sandbox,
  SandboxSchema,
  State
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { refusal } from '../../../extender/sandboxes/refusals.ts'

/** What may happen to one call. */
export const fates = ['served', 'refused', 'lost before', 'lost after', 'late', 'saturated', 'unavailable'] as const
export type Fate = (typeof fates)[number]

const socketError = (code: string, syscall: string): ConnectError => {
  const cause = Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
  return new ConnectError(cause.message, Code.Unavailable, undefined, undefined, cause)
}

/** Clusters without sockets, whose calls meet with fates that a test draws. */
export class FaultyWorld {
  readonly #clusters = new Map<string, Map<string, Sandbox>>()
  readonly #clock: Clock
  readonly #draw: (call: 'create' | 'other') => Fate
  readonly #lateMs: () => number
  #uid = 0

  constructor(clock: Clock, draw: (call: 'create' | 'other') => Fate, lateMs: () => number) {
    this.#clock = clock
    this.#draw = draw
    this.#lateMs = lateMs
  }

  /** Of all clusters: sandboxes of the id that have not ended. */
  live(id: string): readonly Sandbox[] {
    return [...this.#clusters.values()].flatMap(sandboxes => {
      const sandbox = sandboxes.get(id)
      return sandbox && sandbox.state !== State.TERMINATED ? [sandbox] : []
    })
  }

  readonly probe: Probe = async () => undefined

  readonly transport = (endpoint: string): Transport => {
    const sandboxes = this.#clusters.get(endpoint) ?? new Map<string, Sandbox>()
    this.#clusters.set(endpoint, sandboxes)
    const inner = this.#served(sandboxes)
    return {
      stream: () => Promise.reject(new Error('nobody watches here')),
      unary: async (method, signal, timeoutMs, header, input, values) => {
        const go = () => inner.unary(method, undefined, timeoutMs, header, input, values)
        const fate = this.#draw(method.name === 'CreateSandbox' ? 'create' : 'other')
        if (fate === 'refused') throw socketError('ECONNREFUSED', 'connect')
        if (fate === 'lost before') throw socketError('ECONNRESET', 'read')
        if (fate === 'saturated') throw refusal(Code.ResourceExhausted, 'no_cluster', 'full', { retryAfterMs: 1_000 })
        if (fate === 'unavailable') throw refusal(Code.Unavailable, 'kubernetes_unavailable', 'no API server')
        if (fate === 'late') await this.#late(go, signal)
        const answer = await go()
        if (fate === 'lost after') throw socketError('ECONNRESET', 'read')
        return answer
      }
    }
  }

  /** It is done in its time, whether or not somebody still waits for it. */
  #late(go: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new ConnectError('given up', Code.Canceled)))
      this.#clock.after(this.#lateMs(), () => void go().then(() => resolve(), reject))
    })
  }

  #served(sandboxes: Map<string, Sandbox>): Transport {
    const at = (id: string): Sandbox => {
      const sandbox = sandboxes.get(id)
      if (!sandbox) throw refusal(Code.NotFound, 'not_found', `there is no sandbox ${id}`)
      return sandbox
    }
    return createRouterTransport(({ service }) => {
      service(SchedulerService, {
        createSandbox: request => {
          const id = sandboxIdOf(request)
          const known = sandboxes.get(id)
          if (known && (request.idempotencyKey !== '' || known.state !== State.TERMINATED))
            return { sandbox: known, created: false }
          const sandbox = create(SandboxSchema, { id, uid: `u${(this.#uid += 1)}`, state: State.READY })
          sandboxes.set(id, sandbox)
          return { sandbox, created: true }
        },
        getSandbox: ({ id }) => ({ sandbox: at(id) }),
        releaseSandbox: ({ id }) => {
          const sandbox = { ...at(id), state: State.TERMINATED }
          sandboxes.set(id, sandbox)
          return { sandbox }
        }
      })
    })
  }
}
