import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { terminatedEvent } from '../../../extender/sandboxes/events/cloud-event.ts'
import { type EventsOptions, startEvents } from '../../../extender/sandboxes/events/serve.ts'
import { type Event, EventsService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/events_pb.js'
import {
  FailureCode,
  FailurePhase,
  Launch,
  Reason,
  type Sandbox,
  SandboxSchema,
  State
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { clientOf, type Loose, recordingLog } from '../serve.ts'

export const secret = `whsec_${Buffer.from('a secret of twenty-four!').toString('base64')}`
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
export const at = (minute: number) => timestampFromDate(new Date(Date.UTC(2026, 0, 2, 3, minute)))

const oom = { phase: FailurePhase.RUNTIME, code: FailureCode.OOM_KILLED, exitCode: 137, message: 'out of memory' }

/** A sandbox that was killed for its memory, unless the test says something else. */
export function sandbox(uid: string, more: Partial<Sandbox> = {}): Sandbox {
  const usual = {
    ...{ id: `sbx-${uid}`, uid, tenant: 'default', projectId: 'shop', cluster: 'west', namespace: 'sandboxes' },
    ...{ state: State.TERMINATED, launch: Launch.WARM, hostname: `sbx-${uid}.sandboxes.svc`, port: 8080 },
    ...{ pod: `pool-${uid}`, podIp: '10.1.2.3', node: 'n1', template: 'default', retainCount: 0, priority: -3 },
    ...{ createdAt: at(1), readyAt: at(2), expiresAt: at(16), terminatedAt: at(5), ttl: { seconds: 900n, nanos: 0 } },
    ...{ reason: Reason.FAILED, failure: oom }
  }
  return Object.assign(create(SandboxSchema, usual), more)
}

export const event = (uid: string): Event => terminatedEvent(sandbox(uid), traceparent)

/** The events service on a free port, and how to ask it; it ends with the test. */
export async function events(t: Test, options: Partial<EventsOptions> = {}) {
  const { log, lines } = recordingLog()
  const registry = new Registry()
  const running = await startEvents({ secrets: [secret], ...options, log, registry })
  t.teardown(() => running.close())
  const { client, ask } = clientOf(running.url)
  const metric = async (name: string): Promise<number> => {
    const [, value] = new RegExp(`^${RegExp.escape(name)} (\\S+)$`, 'm').exec(await registry.metrics()) ?? []
    return Number(value)
  }
  return { ...running, lines, registry, ask, metric, service: client(EventsService) }
}

/** A subscriber to server-sent events: what it was told, as it was told. */
export async function subscribe(t: Test, url: string, headers: Record<string, string> = {}) {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const answer = await fetch(`${url}/v1/events`, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: stop.signal
  })
  const heard: { readonly id?: string; readonly event?: string; readonly data?: Loose; readonly comment?: string }[] =
    []
  const read = async () => {
    let rest = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) heard.push(messageOf(block))
    }
  }
  const ended = read().then(
    () => 'ended',
    () => 'cut'
  )
  const told = () => heard.filter(each => each.event !== undefined)
  return { answer, heard, told, ended, stop: () => stop.abort() }
}

function messageOf(block: string) {
  const fields = block.split('\n').map(line => {
    const [name = '', value = ''] = line.split(/:\s?(.*)/s)
    return [name === '' ? 'comment' : name, name === 'data' ? JSON.parse(value) : value] as const
  })
  return Object.fromEntries(fields) as Record<string, Loose>
}

export type Call = { readonly headers: IncomingHttpHeaders; readonly body: string; readonly path: string }
type Answering = (response: ServerResponse, call: Call, index: number) => void

/** A receiver of webhooks that answers as the test says, and remembers what it got. */
export async function receiver(t: Test, answer: Answering = response => response.end()) {
  const calls: Call[] = []
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const call = { headers: request.headers, path: request.url ?? '', body: await text(request) }
    calls.push(call)
    answer(response, call, calls.length - 1)
  }
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hook`, port, calls }
}

export const answering = (status: number, headers: Record<string, string> = {}): Answering => {
  return response => void response.writeHead(status, headers).end()
}

/** Waits for what the sockets do by themselves. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; !(await condition()); turn += 1) {
    if (turn > 20_000) throw new Error(`never came true: ${condition.toString()}`)
    await wait(1)
  }
}
