import { createConnectTransport } from '@connectrpc/connect-node'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { systemClock } from '../../../extender/clock.ts'
import { Publisher } from '../../../extender/sandboxes/events/publisher.ts'
import { State } from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { freePort } from '../redis-server.ts'
import { cleared, cluster, service, until as inState } from '../rig.ts'
import { events, receiver, secret, subscribe, until } from './rig.ts'

t.test('S0.13 S0.15 S0.18 S0.24 sandboxes on a cluster end, and a subscriber and a webhook are told why', async t => {
  const { url: webhook, calls } = await receiver(t)
  const told = await events(t, { webhooks: [webhook], allowPrivate: true })
  const subscriber = await subscribe(t, told.url)
  const on = await cluster(t)
  const it = await service(t, on, { enableEvents: true, events: told.url })
  const make = async (projectId: string) => (await it.sandboxes.createSandbox({ projectId })).sandbox!
  const released = await make('one')
  const killed = await make('two')
  for (const { id } of [released, killed]) await inState(it, id, State.READY)
  await it.sandboxes.releaseSandbox({ id: released.id })
  const { pod } = (await it.sandboxes.getSandbox({ id: killed.id })).sandbox!
  on.client.delete({ resource: 'pods', namespace: 'sandbox', name: pod })
  await until(() => subscriber.told().length === 2 && calls.length === 2)
  const reasons = Object.fromEntries(subscriber.told().map(({ data: { subject, data } }) => [subject, data]))
  t.match(reasons[released.id], { reason: 'RELEASED', project: 'one', cluster: 'c1', uid: released.uid, pod: /^sbx-/ })
  t.match(reasons[killed.id], { reason: 'FAILED', failure: { phase: 'RUNTIME', code: 'DELETED_EXTERNALLY' } })
  for (const { headers, body } of calls) t.ok(new Webhook(secret).verify(body, headers as Record<string, string>))
  await cleared(on)
})

t.test('an end while the events service is away is told once it is back', async t => {
  const port = await freePort()
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '1.1' })
  const publisher = new Publisher({ transport, clock: systemClock, random: Math.random })
  t.teardown(() => publisher.close())
  const on = await cluster(t)
  const it = await service(t, on, { enableEvents: true, publisher })
  const { id } = (await it.sandboxes.createSandbox({ projectId: 'one' })).sandbox!
  await inState(it, id, State.READY)
  await it.sandboxes.releaseSandbox({ id })
  await until(() => publisher.waiting === 1)
  t.equal(on.services().length, 1, 'its claim is kept')
  const { service: told } = await events(t, { port })
  await cleared(on)
  const { events: listed } = await told.listEvents({})
  t.strictSame(
    listed.map(({ event }) => event?.subject),
    [id]
  )
})
