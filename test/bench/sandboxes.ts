import { setTimeout as sleep } from 'node:timers/promises'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { Launch, type Sandbox, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import type { EmbeddedApi } from '../../extender/embedded/api/types.ts'
import { sandboxIdOf } from '../../extender/sandboxes/identity.ts'
import { claimOf, podNote, serviceOf } from '../../extender/sandboxes/scheduler/claim.ts'
import type { Json } from '../../extender/sandboxes/scheduler/ports.ts'
import { podOf } from '../../extender/sandboxes/scheduler/templates.ts'
import { SandboxStage, template } from './sandbox-stage.ts'

type Row = { readonly what: string; readonly goal: string; readonly measured: string }

const pool = 200

const parts: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  duplicates,
  'warm, one at a time': () => warm(1, 1_000),
  'warm, 20 at a time': () => warm(20, 1_000),
  sustained,
  'many, 2,000': () => many(2_000),
  'many, 10,000': () => many(10_000)
}

/** The service of the sandboxes, in a process of its own, on the embedded cluster; only the parts that contain that text. */
export async function sandboxes(only = ''): Promise<readonly string[]> {
  const lines = ['| what | goal | measured |', '|---|---|---|']
  for (const [name, measure] of Object.entries(parts)) {
    if (!name.includes(only)) continue
    for (const { what, goal, measured } of await measure()) lines.push(`| ${what} | ${goal} | ${measured} |`)
  }
  return lines
}

async function duplicates(): Promise<readonly Row[]> {
  const stage = await SandboxStage.open(2)
  const wish = { projectId: 'p1', idempotencyKey: 'k1' }
  await Promise.all(Array.from({ length: 100 }, () => stage.sandboxes.createSandbox(wish)))
  const pods = stage.pods()
  await stage.close()
  return [{ what: '100 duplicates at once, pods', goal: '1', measured: String(pods) }]
}

/** From the request to the moment when the client knows that it is ready. */
async function warm(parallel: number, count: number): Promise<readonly Row[]> {
  const stage = await SandboxStage.open(50, ['--warm-pool', `default=${pool}`])
  await stage.untilWarm(pool)
  await each(parallel, 50, index => ready(stage, { projectId: `first-${index}` }))
  await stage.untilWarm(pool)
  const times: number[] = []
  let adopted = 0
  const [from, cpu] = [performance.now(), stage.cpu()]
  await each(parallel, count, async index => {
    const start = performance.now()
    const { launch } = await ready(stage, { projectId: `p-${index}` })
    times.push(performance.now() - start)
    if (launch === Launch.WARM) adopted++
  })
  const [seconds, used] = [(performance.now() - from) / 1000, stage.cpu() - cpu]
  await stage.close()
  const what = `${number(count)} creates from a warm pool of ${pool} refilled, ${parallel} at a time`
  const share = `${number(adopted)} warm, ${(count / seconds).toFixed(0)}/s, ${((used / count) * 1000).toFixed(1)} ms CPU each`
  return [
    { what: `${what}: claim to ready, p50`, goal: '≤ 50 ms', measured: `${at(times, 0.5).toFixed(1)} ms (${share})` },
    { what: `${what}: p99`, goal: '≤ 300 ms', measured: `${at(times, 0.99).toFixed(1)} ms` }
  ]
}

/** As fast as the answers come. */
async function sustained(): Promise<readonly Row[]> {
  const stage = await SandboxStage.open(50)
  const count = 3_000
  await each(20, 200, index => ready(stage, { projectId: `first-${index}` }))
  const [from, cpu] = [performance.now(), stage.cpu()]
  await each(20, count, index => stage.sandboxes.createSandbox({ projectId: `p-${index}` }))
  const [seconds, used] = [(performance.now() - from) / 1000, stage.cpu() - cpu]
  await stage.close()
  const measured = `${(count / seconds).toFixed(0)} (${((used / count) * 1000).toFixed(1)} ms CPU each)`
  return [{ what: `creates a second, cold, 20 at a time, ${number(count)} in all`, goal: '200', measured }]
}

/** They are there when the service starts. Of some the end comes soon, spread evenly over a time. */
async function many(count: number): Promise<readonly Row[]> {
  const ends = { first: Date.now() + 20_000 + count * 20, spacingMs: 30, count: Math.floor(count * 0.3) }
  const stage = await SandboxStage.open(Math.ceil(count / 100), [], client => seed(client, count, ends))
  const late: number[] = []
  const ending = new AbortController()
  const heard = hear(stage, ending.signal, sandbox => late.push(Date.now() - timestampMs(sandbox.expiresAt!)))
  await sleep(Math.max(0, ends.first - 5_000 - Date.now()))
  const rss = stage.rss()
  while (late.length < ends.count) await sleep(200)
  ending.abort()
  await heard
  await stage.close()
  const what = `${number(count)} live sandboxes`
  const rate = `${(1000 / ends.spacingMs).toFixed(0)} ends a second`
  return [
    { what: `${what}: RSS of the service`, goal: '< 300 MiB', measured: `${rss.toFixed(0)} MiB` },
    { what: `${what}, ${rate}: lateness, p50`, goal: '', measured: `${at(late, 0.5).toFixed(0)} ms` },
    { what: `${what}, ${rate}: lateness, p99`, goal: '≤ 1,000 ms', measured: `${at(late, 0.99).toFixed(0)} ms` }
  ]
}

type Ends = { readonly first: number; readonly spacingMs: number; readonly count: number }

/** Sandboxes as the service writes them, on their nodes already. */
async function seed(client: EmbeddedApi, count: number, { first, spacingMs, count: soon }: Ends): Promise<void> {
  client.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'sandbox' } })
  const now = Date.now()
  const hour = 3_600_000
  for (let index = 0; index < count; index++) {
    const projectId = `p-${index}`
    const ttlMs = index < soon ? first + index * spacingMs - now : 4 * hour
    const spec = { ttlMs, idleTimeoutMs: 0, maxLifetimeMs: 24 * hour, template: 'default', env: {}, priority: 0 }
    const draft = {
      ...{ id: sandboxIdOf({ tenant: 'default', projectId, idempotencyKey: '' }), tenant: 'default', projectId },
      ...{ fingerprint: 'f', keyHash: '', keyUntil: 0, createdAt: now, port: 8080, traceparent: '' },
      spec: { ...spec, gang: undefined }
    }
    const claim = claimOf(client.create('services', placed(serviceOf(draft, false))))!
    const pod = placed(podOf(claim, template, { launched: claim.launched }))
    const { metadata } = client.create('pods', {
      ...pod,
      spec: { ...pod['spec']!, nodeName: `node-${Math.floor(index / 100) + 1}` }
    })
    const note = podNote({ name: metadata.name, uid: metadata.uid ?? '', launched: claim.launched })
    const reference = { resource: 'services', namespace: 'sandbox', name: claim.id }
    client.patch(reference, { metadata: { annotations: note as Notes } }, { type: 'merge' })
    if (index % 50 === 0) await sleep(1)
  }
}

type Notes = Readonly<Record<string, string>>
type Placed = Parameters<EmbeddedApi['create']>[1]
const placed = (object: Json): Placed => {
  const metadata = { ...(object['metadata'] as object), namespace: 'sandbox' }
  return { ...object, metadata } as Placed
}

async function hear(stage: SandboxStage, signal: AbortSignal, told: (sandbox: Sandbox) => void): Promise<void> {
  const seen = new Set<string>()
  try {
    for await (const { sandbox } of stage.sandboxes.watchSandboxes({}, { signal })) {
      if (sandbox?.state !== State.TERMINATED || seen.has(sandbox.uid)) continue
      seen.add(sandbox.uid)
      told(sandbox)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function ready({ sandboxes }: SandboxStage, wish: { projectId: string }): Promise<Sandbox> {
  let { sandbox } = await sandboxes.createSandbox({ ...wish })
  while (sandbox?.state === State.PENDING) {
    await sleep(5)
    sandbox = (await sandboxes.getSandbox({ id: sandbox.id })).sandbox
  }
  if (sandbox?.state !== State.READY) throw new Error(`${wish.projectId} came to nothing`)
  return sandbox
}

/** So many at a time. */
async function each(parallel: number, count: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: parallel }, worker))
}

const at = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
const number = (value: number): string => value.toLocaleString('en')

if (import.meta.main) for (const line of await sandboxes(process.argv[2])) process.stdout.write(`${line}\n`)
