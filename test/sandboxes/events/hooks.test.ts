import { readFile } from 'node:fs/promises'
import { Registry } from 'prom-client'
import t from 'tap'
import type { CloudEvent } from '../../../extender/sandboxes/events/cloud-event.ts'
import { Hooks } from '../../../extender/sandboxes/events/hooks.ts'
import { eventMetrics } from '../../../extender/sandboxes/events/metrics.ts'
import { startEvents } from '../../../extender/sandboxes/events/serve.ts'
import { recordingLog } from '../serve.ts'
import { event, events, until } from './rig.ts'

const calls = (result: string) => `muster_sandbox_events_hook_calls_total{result="${result}"}`

t.test('S0.23 a hook runs in the service for each event, and what it throws stays there', async t => {
  const dir = t.testdir({
    'workflow.ts': `
      import { appendFile } from 'node:fs/promises'
      export const onTerminated = async (event: { id: string; data: { reason: string } }): Promise<void> =>
        appendFile(import.meta.dirname + '/told', event.id + ' ' + event.data.reason + ';')`,
    'broken.ts': `export function onTerminated(event) { event.data = null; throw new Error('no room in the diary') }`,
    'worse.ts': `export const onTerminated = () => Promise.reject()`,
    told: ''
  })
  const hooks = ['broken.ts', 'worse.ts', 'workflow.ts'].map(name => `${dir}/${name}`)
  const { service, metric, lines, ask } = await events(t, { hooks })
  for (const uid of ['a', 'b']) t.ok((await service.publish({ event: event(uid) })).accepted)
  await until(async () => (await metric(calls('done'))) === 2 && (await metric(calls('failed'))) === 4)
  const told = await readFile(`${dir}/told`, 'utf8')
  t.strictSame(told.split(';').toSorted(), ['', 'a.terminated FAILED', 'b.terminated FAILED'])
  const complaint = { hook: hooks[0], msg: 'a hook failed: no room in the diary' }
  t.match(
    lines.filter(({ hook }) => hook === hooks[0]),
    [complaint, complaint]
  )
  t.equal((await ask('GET', '/v1/events')).body.events[1].event.data.reason, 'FAILED', 'others see what was sent')
})

t.test('a hook that never ends is passed by once it has too many calls', async t => {
  const { log } = recordingLog()
  const registry = new Registry()
  const started: string[] = []
  const hook = ({ id }: CloudEvent): Promise<void> => {
    started.push(id)
    return new Promise(() => {})
  }
  const hooks = new Hooks({ hooks: [{ name: 'stuck', hook }], log, metrics: eventMetrics(registry) })
  for (let index = 0; index < 250; index += 1) hooks.run(JSON.stringify({ id: String(index) }))
  await until(() => started.length === 100)
  t.match(await registry.metrics(), `${calls('dropped')} 150`)
})

t.test('a hook that cannot be one is told of at the start', async t => {
  const dir = t.testdir({ 'nothing.ts': 'export const other = 1', 'bad.ts': 'throw new Error("not today")' })
  const table = {
    [`${dir}/nothing.ts`]: /nothing.ts must export a function onTerminated/,
    [`${dir}/bad.ts`]: /bad.ts cannot be loaded: not today/,
    [`${dir}/gone.ts`]: /gone.ts cannot be loaded/
  }
  for (const [hook, want] of Object.entries(table))
    await t.rejects(startEvents({ log: recordingLog().log, hooks: [hook] }), { name: 'UsageError', message: want })
})
