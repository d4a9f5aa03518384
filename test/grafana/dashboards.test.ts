import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { groups, sandboxGroups } from '../../grafana/alerts.ts'
import { dashboards as ofMuster, sandboxDashboards } from '../../grafana/dashboards.ts'
import { files } from '../../grafana/files.ts'
import {
  exportedBySandboxes,
  exportedMetrics,
  firstScrape,
  gangs,
  nameOf,
  sandboxGauge
} from '../../grafana/metrics.ts'
import { dashboardModel } from '../../grafana/model.ts'
import { Queries } from '../../grafana/queries.ts'
import { gangMetrics } from '../../extender/gangs/metrics.ts'
import { Registry } from 'prom-client'

const dashboards = [...ofMuster, ...sandboxDashboards]

type Placed = {
  readonly id: number
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
}

t.test('what is committed is what npm run dashboards writes', async t => {
  const folder = 'grafana/generated'
  const wanted = files()
  t.strictSame(readdirSync(folder).toSorted(), [...wanted.keys()].toSorted())
  for (const [name, text] of wanted)
    t.ok(readFileSync(`${folder}/${name}`, 'utf8') === text, `${name} is up to date; else run npm run dashboards`)
})

t.test('every panel says what it shows, fits its row, and has queries with legends', async t => {
  t.equal(new Set(dashboards.map(({ uid }) => uid)).size, dashboards.length)
  for (const { uid, title, rows } of dashboards) {
    t.match(uid, /^muster-[a-z]+$/)
    t.match(title, /^muster \/ /)
    const panels = rows.flatMap(row => row.panels)
    t.ok(panels.length > 0 && panels.length <= 20, `${uid} has ${panels.length} panels`)
    t.equal(new Set(rows.flatMap(row => row.panels.map(panel => `${row.title}/${panel.title}`))).size, panels.length)
    for (const panel of panels) {
      t.match(panel.description, /^[A-Z0-9].*\.$/, `${uid}: ${panel.title}`)
      t.ok(panel.queries.length > 0 && panel.width > 0 && panel.width <= 24)
      t.ok(panel.queries.every(({ legend }) => legend !== ''))
    }
  }
})

t.test('no panel lies on another, and every one has a number of its own', async t => {
  for (const dashboard of dashboards) {
    const placed = dashboardModel(dashboard)['panels'] as readonly Placed[]
    t.equal(new Set(placed.map(({ id }) => id)).size, placed.length)
    const cells = placed.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`)
    )
    t.equal(new Set(cells).size, cells.length, dashboard.uid)
    t.ok(
      placed.every(({ gridPos: { x, w } }) => x + w <= 24),
      dashboard.uid
    )
  }
})

t.test('every metric of muster and of its services is looked at: on a panel or in a rule', async t => {
  const looked = [...files().values()].join('\n')
  const names = [...exportedMetrics(), ...exportedBySandboxes()].map(({ name }) => name)
  const unused = names.filter(
    name => name.startsWith('muster_') && !new RegExp(`\\b${name}(_bucket|_count|_sum)?\\b`).test(looked)
  )
  t.strictSame(unused, [])
})

t.test('a bucket that a rule or a panel asks for is one of the histogram', async t => {
  const scrape = await firstScrape()
  const asked = [...files().values()].flatMap(text => [
    ...text.replaceAll('\\"', '"').matchAll(/(muster_\w+_bucket)\{[^}]*(le="[^"]+")/g)
  ])
  t.ok(asked.length > 0)
  for (const [, name, bound] of asked)
    t.match(scrape, new RegExp(`^${name}\\{[^}]*${bound}`, 'm'), `${name} has ${bound}`)
})

t.test('a metric of another registry has no name here', async t => {
  t.equal(nameOf(gangs.holds), 'muster_holds')
  t.throws(() => nameOf(gangMetrics(new Registry()).holds), /another registry/)
  t.throws(() => sandboxGauge('muster_sandbox_creates_total'), /no Gauge is called muster_sandbox_creates_total/)
})

t.test('queries are written as PromQL', async t => {
  const q = new Queries({ scope: ['job="a"'], over: '5m' })
  const written = {
    [q.rate(gangs.transitions)]: 'sum(rate(muster_gang_transitions_total{job="a"}[5m]))',
    [q.increase(gangs.transitions, { where: { to: ['planned', 'running'] }, by: ['to'], over: '1h' })]:
      'sum by (to) (increase(muster_gang_transitions_total{job="a", to=~"planned|running"}[1h]))',
    [q.min(gangs.gangs, { where: { state: /r.*/ } })]: 'min(muster_gangs{job="a", state=~"r.*"})',
    [q.quantile(0.5, gangs.planDuration, { by: ['outcome'] })]:
      'histogram_quantile(0.5, sum by (outcome, le) (rate(muster_plan_duration_seconds_bucket{job="a"}[5m])))',
    [q.within(gangs.placementDuration, 30)]:
      'sum(rate(muster_gang_placement_duration_seconds_bucket{job="a", le="30"}[5m]))',
    [new Queries({ scope: [], over: '5m' }).select(gangs.holds)]: 'muster_holds'
  }
  for (const [got, want] of Object.entries(written)) t.equal(got, want)
})

t.test('every alert has a runbook, and every runbook an alert', async t => {
  const readme = readFileSync('grafana/README.md', 'utf8')
  const runbooks = [...readme.matchAll(/^### (Muster\w+)\n\n(.{80,}?)(?=\n###? |$(?![\s\S]))/gms)].map(
    ([, name]) => name!
  )
  const names = [...new Set([...groups, ...sandboxGroups].flatMap(group => group.alerts.map(alert => alert.name)))]
  t.strictSame(runbooks.toSorted(), names.toSorted())
})
