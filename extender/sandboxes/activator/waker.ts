import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { type Sandbox, State } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { Refused } from './answers.ts'
import type { Log } from './log.ts'
import type { Scheduler } from './scheduler.ts'
import type { Target, Targets } from './targets.ts'

/** A sandbox that can be sent to. */
export type Awake = { readonly sandbox: Sandbox; readonly target: Target }

export type WakerParts = {
  readonly scheduler: Scheduler
  readonly targets: Targets
  readonly clock: Clock
  readonly log: Log
  readonly tenant: string
  /** Of sandboxes that it has made; they may idle where it is undefined. */
  readonly idleTimeoutMs: number | undefined
  /** A sandbox that is not ready after so long is not waited for any more. */
  readonly startMs: number
}

/** What is known is asked for again after so long, and not used any more after the second time. */
const [freshMs, staleMs] = [1_000, 2_000]
const [firstLookMs, longestLookMs] = [25, 400]

type Options = { readonly timeoutMs: number }
type Known = Awake & { readonly since: number }

/** Finds the sandbox of a project, and has it made where there is none; many who ask at once ask once. */
export class Waker {
  readonly #parts: WakerParts
  readonly #known = new Map<string, Known>()
  readonly #waking = new Map<string, Promise<Awake>>()

  constructor(parts: WakerParts) {
    this.#parts = parts
  }

  /** The sandbox, where it was ready a moment ago. */
  known(project: string): Awake | undefined {
    const known = this.#known.get(project)
    if (!known) return undefined
    const age = this.#parts.clock.now() - known.since
    if (age >= staleMs) {
      this.#known.delete(project)
      return undefined
    }
    if (age >= freshMs) this.wake(project).catch(() => this.#known.delete(project))
    return known
  }

  /** The sandbox, once it is ready; throws Refused where it does not get so. */
  wake(project: string): Promise<Awake> {
    const running = this.#waking.get(project)
    if (running) return running
    const waking = this.#wake(project).finally(() => this.#waking.delete(project))
    this.#waking.set(project, waking)
    return waking
  }

  /** Nobody answers there. */
  forget(project: string): void {
    this.#known.delete(project)
  }

  async #wake(project: string): Promise<Awake> {
    const { clock, scheduler, tenant, targets, log, startMs } = this.#parts
    const end = clock.now() + startMs
    const options = { timeoutMs: startMs }
    let sandbox = living(await this.#find(project, options), project)
    for (let pause = firstLookMs; !isReady(sandbox); pause = Math.min(2 * pause, longestLookMs)) {
      if (clock.now() >= end) throw new Refused(504, `the sandbox of ${project} is not ready in time`, 5)
      await new Promise<void>(resolve => clock.after(pause, resolve))
      sandbox = living((await asked(scheduler.getSandbox({ id: sandbox.id, tenant }, options))).sandbox, project)
    }
    const target = { address: sandbox.podIp, port: sandbox.port }
    const refusal = targets.refusal(target)
    if (refusal !== undefined) {
      log.warn({ project, sandbox: sandbox.id, ...target }, `traffic is not sent: ${refusal}`)
      throw new Refused(502, `the sandbox of ${project} has an address that nothing is sent to`)
    }
    const awake = { sandbox, target }
    this.#remember(project, awake)
    return awake
  }

  /** The sandbox that the project has, however it was asked for; a new one where it has none. */
  async #find(project: string, options: Options): Promise<Sandbox | undefined> {
    const { scheduler, tenant, idleTimeoutMs } = this.#parts
    const present = await this.#present(project, options)
    if (present) return present
    const idleTimeout = idleTimeoutMs === undefined ? {} : { idleTimeout: durationFromMs(idleTimeoutMs) }
    try {
      return (await scheduler.createSandbox({ projectId: project, tenant, ...idleTimeout }, options)).sandbox
    } catch (error) {
      // Somebody else has just made one, with wishes of their own.
      const found = isCode(error, Code.FailedPrecondition) && (await this.#present(project, options))
      if (found) return found
      throw refusalOf(error)
    }
  }

  async #present(project: string, options: Options): Promise<Sandbox | undefined> {
    const { scheduler, tenant } = this.#parts
    try {
      const { sandbox } = await scheduler.getSandbox({ projectId: project, tenant }, options)
      return sandbox?.state === State.TERMINATED ? undefined : sandbox
    } catch (error) {
      if (isCode(error, Code.NotFound)) return undefined
      throw refusalOf(error)
    }
  }

  #remember(project: string, awake: Awake): void {
    const known = { ...awake, since: this.#parts.clock.now() }
    this.#known.set(project, known)
    this.#parts.clock.after(staleMs, () => {
      if (this.#known.get(project) === known) this.#known.delete(project)
    })
  }
}

const isReady = ({ state, podIp }: Sandbox): boolean => state === State.READY && podIp !== ''

function living(sandbox: Sandbox | undefined, project: string): Sandbox {
  if (sandbox === undefined) throw new Refused(502, 'the scheduler names no sandbox')
  if (sandbox.state !== State.TERMINATED) return sandbox
  const why = sandbox.failure?.message ?? ''
  throw new Refused(502, `the sandbox of ${project} ended before it was ready${why === '' ? '' : `: ${why}`}`, 1)
}

async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw refusalOf(error)
  }
}

const isCode = (error: unknown, code: Code): boolean => ConnectError.from(error).code === code

/** What the scheduler refuses, in the words of HTTP. */
function refusalOf(error: unknown): Refused {
  const { code, rawMessage, metadata } = ConnectError.from(error)
  const retry = /^\d{1,5}$/.exec(metadata.get('retry-after') ?? '')?.[0]
  const [status, seconds] = statuses.get(code) ?? [502, undefined]
  return new Refused(status, `the scheduler says: ${reasonOf(rawMessage)}`, retry ? Number(retry) : seconds)
}

/** With when to come again, where the scheduler does not say. */
const statuses: ReadonlyMap<Code, readonly [number, number?]> = new Map([
  [Code.InvalidArgument, [400]],
  [Code.Unauthenticated, [401]],
  [Code.PermissionDenied, [403]],
  [Code.NotFound, [503, 1]],
  [Code.Aborted, [503, 1]],
  [Code.ResourceExhausted, [429, 5]],
  [Code.Unavailable, [503, 1]],
  [Code.DeadlineExceeded, [504, 5]]
])
