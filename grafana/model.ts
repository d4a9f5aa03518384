import type { Dashboard, Panel, Row } from './dashboard.ts'
import { panels } from './dashboard.ts'
import { gangs, musterProcess, nameOf } from './metrics.ts'

const columns = 24
const heights = { stat: 4, timeseries: 8, heatmap: 8 } as const
const source = { type: 'prometheus', uid: '${datasource}' }

type Json = Readonly<Record<string, unknown>>

/** A dashboard as Grafana imports it. */
export function dashboardModel({ uid, title, description, rows, processes }: Dashboard): Json {
  return {
    ...{ uid, title, description, tags: ['muster'], schemaVersion: 39, version: 1, editable: false },
    ...{ time: { from: 'now-1h', to: 'now' }, refresh: '30s', timezone: 'browser', graphTooltip: 1 },
    links: [
      { type: 'dashboards', tags: ['muster'], title: 'muster', asDropdown: true, includeVars: true, keepTime: true }
    ],
    annotations: { list: processes === undefined ? [newLives()] : [] },
    templating: { list: variables(processes ?? nameOf(musterProcess.buildInfo)) },
    panels: placed(rows)
  }
}

/** Where the line of a restart or a new life stands, in every dashboard. */
function newLives(): Json {
  return {
    ...{ name: 'Another life decides', datasource: source, enable: true, iconColor: 'orange' },
    ...{ expr: `${panels.changes(gangs.epoch, { by: ['instance'] })} > 0`, step: '60s' },
    ...{ titleFormat: 'muster began to decide', textFormat: '{{instance}}' }
  }
}

function variables(processes: string): readonly Json[] {
  const query = (label: string, text: string): Json => ({
    ...{ name: label, label: text, type: 'query', datasource: source, refresh: 2, sort: 1 },
    ...{ multi: true, includeAll: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
    query: { query: `label_values(${label === 'job' ? processes : ofJob(processes)}, ${label})`, refId: label }
  })
  return [
    { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {} },
    query('job', 'Job'),
    query('instance', 'Instance')
  ]
}

/** The same series of the jobs that are chosen. */
function ofJob(series: string): string {
  return series.endsWith('}') ? `${series.slice(0, -1)}, job=~"$job"}` : `${series}{job=~"$job"}`
}

/** Rows one below the other, panels from left to right. */
function placed(rows: readonly Row[]): readonly Json[] {
  const all: Json[] = []
  let y = 0
  for (const { title, panels: inRow } of rows) {
    all.push({
      id: all.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: columns, h: 1 }
    })
    y += 1
    let [x, tallest] = [0, 0]
    for (const panel of inRow) {
      const h = heights[panel.kind]
      if (x + panel.width > columns) [x, y, tallest] = [0, y + tallest, 0]
      all.push({ id: all.length + 1, ...panelModel(panel), gridPos: { x, y, w: panel.width, h } })
      x += panel.width
      tallest = Math.max(tallest, h)
    }
    y += tallest
  }
  return all
}

function panelModel(panel: Panel): Json {
  const { kind: type, title, description, queries } = panel
  const targets = queries.map(({ expr, legend }, index) => ({
    ...{ refId: String.fromCodePoint(65 + index), datasource: source, expr, legendFormat: legend },
    ...(type === 'heatmap' ? { format: 'heatmap' } : {})
  }))
  return { type, title, description, datasource: source, targets, ...looks(panel) }
}

function looks({ kind, unit, red }: Panel): Json {
  const base = { unit, min: unit === 'dateTimeFromNow' ? undefined : 0, thresholds: thresholds(red) }
  switch (kind) {
    case 'stat':
      return {
        fieldConfig: { defaults: { ...base, color: { mode: 'thresholds' } }, overrides: [] },
        options: { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: red === undefined ? 'none' : 'value' }
      }
    case 'heatmap':
      return {
        fieldConfig: { defaults: {}, overrides: [] },
        options: { calculate: false, yAxis: { unit }, color: { mode: 'scheme', scheme: 'Oranges' }, cellGap: 1 }
      }
    case 'timeseries': {
      const lines = { lineWidth: 1, fillOpacity: 10, thresholdsStyle: { mode: red === undefined ? 'off' : 'dashed' } }
      return {
        fieldConfig: { defaults: { ...base, custom: lines }, overrides: [] },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
      }
    }
  }
}

function thresholds(red = Number.POSITIVE_INFINITY): Json {
  const first = { color: red < 0 ? 'red' : 'green', value: null }
  if (!Number.isFinite(red)) return { mode: 'absolute', steps: [first] }
  return { mode: 'absolute', steps: [first, { color: red < 0 ? 'green' : 'red', value: Math.abs(red) }] }
}
