import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import { type Sandbox, State } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { type Lookup, reach } from './reach.ts'
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

/** Shows what a client does with sandboxes: the same request twice, access by name, retention, release. */
export async function tour(options: TourOptions): Promise<Sandbox> {
  const { scheduler, say, retain, release } = options
  say(`A sandbox for project ${options.projectId}:`)
  const first = await create(options)
  say(`  ${first.created ? 'created' : 'there already:'} ${lineOf(first.sandbox)}`)
  const second = await create(options)
  if (second.sandbox.uid !== first.sandbox.uid)
    throw new Error(`the same request made two sandboxes, ${first.sandbox.id} and ${second.sandbox.id}`)
  say(`  the same request again: ${second.sandbox.id}, ${second.created ? 'created' : 'nothing was created'}`)
  const ready = await untilReady(options, first.sandbox)
  say(`  ready: ${lineOf(ready)}, until ${timeOf(ready.expiresAt)}`)
  await visit(options, ready)
  const call = { id: ready.id, tenant: ready.tenant }
  let last = ready
  if (retain) {
    last = named((await timed(options, 'RetainSandbox', scheduler.retainSandbox(call, { timeoutMs: callMs }))).sandbox)
    say(`  retained: until ${timeOf(last.expiresAt)}, which was ${timeOf(ready.expiresAt)}`)
  }
  if (release) {
    last = named(
      (await timed(options, 'ReleaseSandbox', scheduler.releaseSandbox(call, { timeoutMs: callMs }))).sandbox
    )
    say(`  released: ${endOf(last)}`)
  }
  options.detail(jsonOf(last))
  return last
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

async function visit({ lookup, say, detail }: TourOptions, { hostname, port, podIp }: Sandbox): Promise<void> {
  const url = `http://${hostname}:${port}/`
  const answer = await reach(url, lookup)
  say(`  ${url} answers`)
  detail(`    from ${podIp}: ${answer}`)
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
