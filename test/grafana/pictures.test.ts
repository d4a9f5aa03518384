import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { dashboards, sandboxDashboards } from '../../grafana/dashboards.ts'
import { picture } from '../../grafana/picture.ts'

const all = [...dashboards, ...sandboxDashboards]
const folder = 'grafana/pictures'

t.test('the kept pictures show every panel of their dashboard, and say what drew them', async t => {
  t.strictSame(readdirSync(folder).toSorted(), all.map(({ uid }) => `${uid}.svg`).toSorted())
  for (const { uid, rows } of all) {
    const drawn = readFileSync(`${folder}/${uid}.svg`, 'utf8')
    t.match(drawn, 'Drawn by muster from queried data, not Grafana.')
    for (const { title } of rows.flatMap(row => row.panels))
      t.ok(drawn.includes(`>${title}</text>`), `${uid}: ${title}; else run npm run pictures`)
    t.ok(drawn.length < 200_000, `${uid} has ${drawn.length} characters`)
  }
})

t.test('what has no value is drawn as that, and what a tenant writes stays text', async t => {
  const [dashboard] = all
  const panels = dashboard!.rows.flatMap(row => row.panels)
  const lines = [{ legend: '<script>&"', points: [[0, 1] as const, [1, Number.NaN] as const] }]
  const drawn = picture(dashboard!, new Map([[panels[0]!, lines]]))
  t.match(drawn, /&lt;script>&amp;&quot;/)
  t.equal(drawn.split('no value').length - 1, panels.length - 1)
})
