import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt'
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import { type Sandbox, State } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { isUnknownName, type Lookup, reach } from './reach.ts'
import { endOf, jsonOf, lineOf, timeOf } from './words.ts'

export type TourOptions = {
  readonly scheduler: Client<typeof SchedulerService>
  readonly projectId: string
  /** Each new one is a new sandbox; without one the project has one sandbox. */
  readonly idempotencyKey?: string
  readonly ttlMs?: number | undefined
  readonly retain: boolean
  readonly release: boolean
  readonly lookup?: Lookup
  readonly clock: Clock
  /** Waits, and keeps the process alive meanwhile. */
  readonly pause: (ms: number) => Promise<void>
  /** Told each step. */
  readonly say: (line: string) => void
  /** Told what is behind the steps. */
  readonly detail: (line: string) => void
}

const callMs = 30_000
const startMs = 60_000
const lookMs = 100
const [nameMs, nameLookMs] = [6_000, 500]

/** Shows what a client does with sandboxes: the same request twice, access by name, retention, release. */
export async function tour(options: TourOptions): Promise<Sandbox> {
  const { say, detail, retain, release } = options
  const sandbox = await askTwice(options)
  const ready = await untilReady(options, sandbox)
  say(`  ready: ${lineOf(ready)}, until ${timeOf(ready.expiresAt)}`)
  await visit(options, ready)
  const retained = retain ? await extend(options, ready) : ready
  const last = release ? await end(options, retained) : retained
  detail(jsonOf(last))
  return last
}

async function askTwice(options: TourOptions): Promise<Sandbox> {
  const { say, projectId } = options
  say(`A sandbox for project ${projectId}:`)
  const first = await create(options)
  say(`  ${first.created ? 'created' : 'there already:'} ${lineOf(first.sandbox)}`)
  const second = await create(options)
  if (second.sandbox.uid !== first.sandbox.uid)
    throw new Error(`the same request made two sandboxes, ${first.sandbox.id} and ${second.sandbox.id}`)
  say(`  the same request again: ${second.sandbox.id}, ${second.created ? 'created' : 'nothing was created'}`)
  return first.sandbox
}

/** By twice its lifetime: its lifetime from now on would be hardly more than it has left. */
async function extend(options: TourOptions, { id, tenant, ttl, expiresAt }: Sandbox): Promise<Sandbox> {
  const request = { id, tenant, ...(ttl && { ttl: durationFromMs(2 * durationMs(ttl)) }) }
  const call = options.scheduler.retainSandbox(request, { timeoutMs: callMs })
  const retained = named((await timed(options, 'RetainSandbox', call)).sandbox)
  options.say(`  retained: until ${timeOf(retained.expiresAt)}, which was ${timeOf(expiresAt)}`)
  return retained
}

async function end(options: TourOptions, { id, tenant }: Sandbox): Promise<Sandbox> {
  const call = options.scheduler.releaseSandbox({ id, tenant }, { timeoutMs: callMs })
  const released = named((await timed(options, 'ReleaseSandbox', call)).sandbox)
  options.say(`  released: ${endOf(released)}`)
  return released
}

async function create(options: TourOptions): Promise<{ readonly sandbox: Sandbox; readonly created: boolean }> {
  const { scheduler, projectId, idempotencyKey = '', ttlMs } = options
  const request = { projectId, idempotencyKey, ...(ttlMs !== undefined && { ttl: durationFromMs(ttlMs) }) }
  const { sandbox, created, placement } = await timed(
    options,
    'CreateSandbox',
    scheduler.createSandbox(request, { timeoutMs: callMs })
  )
  if (placement) options.detail(`    placed in cluster ${placement.cluster}, tier ${placement.tier}`)
  return { sandbox: living(named(sandbox)), created }
}

async function untilReady(options: TourOptions, { id, tenant }: Sandbox): Promise<Sandbox> {
  const { scheduler, clock, pause } = options
  const end = clock.now() + startMs
  for (;;) {
    const { sandbox } = await scheduler.getSandbox({ id, tenant }, { timeoutMs: callMs }).catch(refused)
    if (living(named(sandbox)).state === State.READY) return named(sandbox)
    if (clock.now() > end) throw new Error(`the sandbox ${id} is not ready after ${startMs / 1000} s`)
    await pause(lookMs)
  }
}

/** By its name; where that is not known, outside of its cluster, at its address. */
async function visit(options: TourOptions, sandbox: Sandbox): Promise<void> {
  const { say, detail, lookup } = options
  const { hostname, port, podIp } = sandbox
  const [named, plain] = [`http://${hostname}:${port}/`, `http://${podIp}:${port}/`]
  const answer = await byName(options, named)
  if (answer === undefined) say(`  ${named} is a name that only its cluster knows`)
  const said = answer ?? (await reach(plain, lookup))
  say(`  ${answer === undefined ? plain : named} answers`)
  detail(`    from ${podIp}: ${said}`)
}

/** A new name takes a moment to get around. Undefined where it does not come. */
async function byName({ lookup, clock, pause }: TourOptions, url: string): Promise<string | undefined> {
  const end = clock.now() + nameMs
  for (;;) {
    try {
      return await reach(url, lookup)
    } catch (error) {
      if (!isUnknownName(error)) throw error
      if (clock.now() > end) return undefined
      await pause(nameLookMs)
    }
  }
}

/** Says in the details how long a call took. */
async function timed<T>({ clock, detail }: TourOptions, name: string, call: Promise<T>): Promise<T> {
  const from = clock.now()
  const answer = await call.catch(refused)
  detail(`    ${name} took ${(clock.now() - from).toFixed(0)} ms`)
  return answer
}

function named(sandbox: Sandbox | undefined): Sandbox {
  if (sandbox) return sandbox
  throw new Error('the scheduler answers without a sandbox')
}

function living(sandbox: Sandbox): Sandbox {
  if (sandbox.state !== State.TERMINATED) return sandbox
  throw new Error(`the sandbox ${sandbox.id} has ended (${endOf(sandbox)}) ${sandbox.failure?.message ?? ''}`.trimEnd())
}

/** What the other side says, without the code before it. */
function refused(error: unknown): never {
  const { code, rawMessage } = ConnectError.from(error)
  if (code === Code.Unavailable) throw new Error(`the scheduler cannot be reached: ${rawMessage}`)
  throw new Error(rawMessage)
}
