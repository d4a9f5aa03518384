import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { startActivator } from '../../extender/sandboxes/activator/serve.ts'
import { schedulerAt } from '../../extender/sandboxes/client/connect.ts'
import { labels } from '../../extender/sandboxes/labels.ts'
import { entriesOfFlags, startEvents, startGlobal } from '../../extender/sandbox-services.ts'
import { sandboxGroups } from '../../grafana/alerts.ts'
import { sandboxDashboards } from '../../grafana/dashboards.ts'
import { exportedBySandboxes } from '../../grafana/metrics.ts'
import { cluster, service } from '../sandboxes/rig.ts'
import { plain } from '../sandboxes/pool-rig.ts'
import { draw } from './draw.ts'
import { chosen, has, prometheus } from './prometheus.ts'
import { missing, promtool } from './promtool.ts'

/** What has no value here, and why. */
const empty: Readonly<Record<string, string>> = {
  'Pools that cannot be kept full 1': 'the API server refuses no pod here, and none of a pool ends',
  'What is to be cleared up 3': 'keys are in memory, which always answers',
  'MusterSandboxPoolErrors 1': 'as the panel',
  'MusterSandboxKeysDegraded 1': 'as the panel'
}
const log = pino({ level: 'silent' })
const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
/** Nobody listens there. */
const nowhere = 'http://127.0.0.1:1'

/** A cluster that says it is well and fails every call. */
async function ill(t: Test): Promise<string> {
  const server = createServer((asked, response) => response.writeHead(asked.method === 'GET' ? 200 : 500).end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Every service of the sandboxes, each on an address of its own; one cluster and one webhook are not there, one cluster fails. */
async function services(t: Test) {
  const on = await cluster(t)
  const events = await startEvents({ log, webhooks: [`${nowhere}/hook`], secrets: [secret], allowPrivate: true })
  t.teardown(() => events.close())
  const scheduler = await service(t, on, {
    ...{ enableEvents: true, events: events.url, templates: { plain }, warmPool: { plain: 2 } },
    configure: async () => 204
  })
  const clusters = entriesOfFlags([`here=${scheduler.url}`, `away=${nowhere}`, `ill=${await ill(t)}`])
  const settings = { clusters, strategy: 'rendezvous' as const, failoverAfterMs: 1_000 }
  const global = await startGlobal({ settings, log, callMs: 1_000 })
  t.teardown(() => global.close())
  const activator = await startActivator({
    ...{ scheduler: schedulerAt(global.url), log, registry: new Registry(), startMs: 500 }
  })
  t.teardown(() => activator.close(0))
  const targets = { scheduler: scheduler.url, events: events.url, global: global.url, activator: activator.url }
  return { on, front: schedulerAt(global.url), activator, targets }
}

type Services = Awaited<ReturnType<typeof services>>

/** A sandbox is asked for twice, its pod goes away or it is released; a wrong request; traffic for one, and for nobody. */
async function round({ on, front, activator }: Services, index: number): Promise<void> {
  const wish = {
    projectId: `project-${index}`,
    idempotencyKey: `key-${index}`,
    template: index % 2 === 0 ? 'plain' : 'default'
  }
  const made = await front.createSandbox(wish).catch(() => undefined)
  await front.createSandbox(wish).catch(() => undefined)
  await front.createSandbox({ ...wish, idempotencyKey: 'wrong', template: 'none' }).catch(() => undefined)
  const pod = on.pods().find(({ metadata }) => metadata.labels?.[labels.id] !== undefined)
  if (pod && index % 3 === 0) on.client.delete({ resource: 'pods', namespace: 'sandbox', name: pod.metadata.name })
  else if (made?.sandbox) await front.releaseSandbox({ id: made.sandbox.id }).catch(() => undefined)
  for (const host of [`traffic-${index}.sandbox.localhost`, 'nobody.example.com'])
    await (await request(activator.url, { headers: { host } })).body.dump()
}

const name = 'a real Prometheus that scrapes the services of the sandboxes can answer every panel and every alert'
t.test(name, { skip: missing('prometheus') }, async t => {
  const all = await services(t)
  const rules = resolve('grafana/generated/muster-sandbox-rules.yaml')
  const hosts = Object.fromEntries(Object.entries(all.targets).map(([job, url]) => [job, new URL(url).host]))
  const server = await prometheus(t, { targets: hosts, rules })
  const from = Date.now() / 1000
  const panels = sandboxDashboards.flatMap(({ rows }) => rows.flatMap(row => row.panels))
  const values = (expr: string) => server.queryRange(chosen(expr), from, Date.now() / 1000)
  /** The first query that has to have values and has none yet. */
  const lacking = async (): Promise<string | undefined> => {
    for (const { title, queries } of panels)
      for (const [index, { expr }] of queries.entries())
        if (!(`${title} ${index + 1}` in empty) && !has(await values(expr))) return `${title}: ${expr}`
    return (await server.rules()).some(({ health }) => health === 'unknown') ? 'a rule' : undefined
  }
  for (let index = 0; (await lacking()) !== undefined; index++) {
    await round(all, index)
    await sleep(200)
  }
  await draw(sandboxDashboards, server, from)

  await t.test('the services export what the dashboard knows', async t => {
    const texts = await Promise.all(Object.values(all.targets).map(async url => (await fetch(`${url}/metrics`)).text()))
    const told = [...texts.join('').matchAll(/^# TYPE (muster_(?:sandbox|activator)\S+)/gm)].map(
      ([, metric]) => metric!
    )
    t.strictSame(
      told.toSorted(),
      exportedBySandboxes()
        .map(metric => metric.name)
        .toSorted()
    )
    for (const text of texts) {
      const { code, said } = promtool(['check', 'metrics'], text)
      t.strictSame([code, said], [0, ''])
    }
  })

  await t.test('every panel has values, but those of which nothing happens here', async t => {
    for (const { title, queries } of panels)
      for (const [index, { expr }] of queries.entries())
        t.equal(has(await values(expr)), !(`${title} ${index + 1}` in empty), `${title}: ${expr}`)
  })

  await t.test('every rule is computed, and what alerts compare has values', async t => {
    for (const { name: rule, health, lastError } of await server.rules()) t.equal(health, 'ok', `${rule}: ${lastError}`)
    for (const { name: alert, when } of sandboxGroups.flatMap(group => group.alerts))
      for (const [index, { expr }] of when.entries())
        t.equal(has(await values(expr)), !(`${alert} ${index + 1}` in empty), `${alert}: ${expr}`)
  })
})
