import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { type ActivatorOptions, startActivator } from '../../extender/sandboxes/activator/serve.ts'
import { schedulerAt } from '../../extender/sandboxes/client/connect.ts'
import { startMock } from '../../extender/sandboxes/mock/server.ts'
import { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { FakeScheduler } from './fake-scheduler.ts'

const loopback = ['127.0.0.0/8']

/** An activator before a fake scheduler, and ways to ask it. */
export async function stage(t: Test, options: Partial<ActivatorOptions> = {}) {
  const scheduler = await FakeScheduler.start(t)
  const registry = new Registry()
  const activator = await startActivator({
    ...{ scheduler: schedulerAt(scheduler.url), log: pino({ level: 'silent' }), registry, allowedTargets: loopback },
    ...options
  })
  const dispatcher = new Agent()
  t.teardown(async () => {
    await dispatcher.destroy()
    await activator.close(0)
  })
  type Ask = { headers?: Record<string, string>; method?: 'GET' | 'POST'; body?: string }
  const ask = async (
    path: string,
    { headers = {}, method = 'GET', body = null }: Omit<Ask, 'body'> & { body?: string | null } = {}
  ) => {
    const answer = await request(activator.url + path, { dispatcher, headers, method, body })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  const waiting = async () => Number(/waiting_requests (\d+)/.exec(await registry.metrics())?.[1])
  const untilWaiting = async (count: number) => {
    while ((await waiting()) !== count) await new Promise(resolve => setImmediate(resolve))
  }
  return { scheduler, activator, ask, registry, untilWaiting, port: Number(new URL(activator.url).port) }
}

/** A mock sandbox, as the scheduler names it once it is ready. */
export async function readyMock(t: Test, project: string) {
  const mock = await startMock({
    host: '127.0.0.1',
    port: 0,
    name: 'pod',
    env: { SANDBOX_PROJECT: project },
    log: () => {}
  })
  t.teardown(() => mock.stop(0))
  return { mock, fields: { state: State.READY, podIp: '127.0.0.1', port: Number(new URL(mock.url).port) } }
}

/** Any server as a sandbox. */
export async function readyServer(t: Test, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, fields: { state: State.READY, podIp: '127.0.0.1', port } }
}
