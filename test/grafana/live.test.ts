import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { loadConfig } from '../../extender/config.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { embed } from '../../extender/embed.ts'
import { groups } from '../../grafana/alerts.ts'
import { dashboards } from '../../grafana/dashboards.ts'
import { exportedMetrics, kubernetes, musterProcess, nameOf } from '../../grafana/metrics.ts'
import { dashboardModel } from '../../grafana/model.ts'
import { serving } from '../cli/run.ts'
import { draw } from './draw.ts'
import { link } from './link.ts'
import { Load } from './load.ts'
import { chosen, has, prometheus } from './prometheus.ts'
import { missing, promtool } from './promtool.ts'

/** What has no value here, and why. */
const empty: Readonly<Record<string, string>> = {
  'muster-overview: Certificate ends': 'the verbs are plain HTTP',
  'MusterCertificateEnds 1': 'the verbs are plain HTTP',
  'MusterAbsent 1': 'muster is there'
}
/** Enough for every rate. */
const scrapes = 20

const name = 'a real Prometheus that scrapes a real muster can answer every panel and every alert'
t.test(name, { skip: missing('prometheus') }, async t => {
  const kubeconfig = join(t.testdir(), 'kubeconfig')
  const embedded = await embed({ nodes: 4, kubeconfigFile: kubeconfig })
  t.teardown(() => embedded.stop())
  const toApi = await link(t, new URL(embedded.cluster.url))
  const { host: direct } = new URL(embedded.cluster.url)
  writeFileSync(kubeconfig, readFileSync(kubeconfig, 'utf8').replaceAll(direct, toApi.host))
  const free = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
  const muster = serving(t, ['--kubeconfig', kubeconfig, ...free])
  const { url = '' } = await muster.line(/^the extender listens/)
  const { url: apiUrl = '' } = await muster.line(/^the API listens/)
  await muster.line(/^ready$/)
  embedded.schedule({ ...schedulerConfiguration(loadConfig([], {}), url) })
  const rules = resolve('grafana/generated/muster-rules.yaml')
  const server = await prometheus(t, { targets: { muster: new URL(apiUrl).host }, rules })

  const from = Date.now() / 1000
  const load = new Load(embedded, muster)
  await load.begin()
  toApi.cut()
  const failures = `${nameOf(kubernetes.requests)}{code="error"}`
  while (!has(await server.query(failures))) await sleep(100)
  toApi.mend()
  const seen = async (): Promise<number> => {
    const [series] = await server.query('count_over_time(muster_active[5m])')
    return Number(series?.value?.[1] ?? 0)
  }
  const computed = async (): Promise<boolean> => (await server.rules()).every(({ health }) => health !== 'unknown')
  while ((await seen()) < scrapes || !(await computed())) await load.round()

  await draw(dashboards, server, from)

  await t.test('the process exports what dashboards and alerts know, and nothing else of its own', async t => {
    const text = await (await fetch(`${url}/metrics`)).text()
    const told = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, metric]) => metric!)
    const known = exportedMetrics().map(metric => metric.name)
    t.strictSame(told.toSorted(), known.toSorted())
    const { code, said } = promtool(['check', 'metrics'], text)
    t.strictSame([code, said], [0, ''])
  })

  await t.test(
    'what happened is told: preemptions, one of them in vain, a gang that waits, one declared wrongly',
    async t => {
      const told = {
        'muster_preemptions_total{outcome="completed"}': 1,
        'muster_preemptions_total{outcome="withdrawn"}': 1,
        muster_wasted_evictions_total: 4,
        'muster_victims_total{outcome="done"}': 8,
        'muster_gangs{state="waiting"}': 1,
        'muster_gangs{state="refused"}': 1,
        muster_active: 1
      }
      t.ok(has(await server.query('muster_rebuild_duration_seconds > 0')), 'it took time to read the cluster')
      for (const [expr, want] of Object.entries(told))
        t.equal((await server.query(expr))[0]?.value?.[1], String(want), expr)
    }
  )

  await t.test('every panel has values', async t => {
    for (const { uid, rows } of dashboards) {
      for (const { title, queries } of rows.flatMap(row => row.panels)) {
        const panel = `${uid}: ${title}`
        for (const { expr } of queries) {
          const series = await server.queryRange(chosen(expr), from, Date.now() / 1000)
          t.equal(has(series), !(panel in empty), `${panel}: ${expr}`)
        }
      }
    }
  })

  await t.test('the variables have something to choose, and the line of a restart is no error', async t => {
    t.strictSame(await server.labelValues('job', nameOf(musterProcess.buildInfo)), ['muster'])
    for (const dashboard of dashboards) {
      const { list } = dashboardModel(dashboard)['annotations'] as { list: readonly { readonly expr: string }[] }
      t.equal(list.length, 1)
      for (const { expr } of list) await server.query(chosen(expr))
    }
  })

  await t.test('every rule is computed, and what alerts compare has values', async t => {
    const computedRules = await server.rules()
    t.equal(
      computedRules.length,
      groups.reduce((sum, { records, alerts }) => sum + records.length + alerts.length, 0)
    )
    t.strictSame(
      computedRules.filter(({ health }) => health !== 'ok'),
      []
    )
    for (const { name: alert, when } of groups.flatMap(group => group.alerts))
      for (const [index, { expr }] of when.entries())
        t.equal(has(await server.query(expr)), !(`${alert} ${index + 1}` in empty), `${alert}: ${expr}`)
  })
})
