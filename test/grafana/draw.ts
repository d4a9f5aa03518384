import { mkdir, writeFile } from 'node:fs/promises'
import type { Dashboard, Panel, Query } from '../../grafana/dashboard.ts'
import { type Line, picture } from '../../grafana/picture.ts'
import { chosen, type prometheus, type Series } from './prometheus.ts'

type Server = Awaited<ReturnType<typeof prometheus>>

/** Only where pictures were asked for (`npm run pictures`): draws the dashboards from what the server has seen. */
export async function draw(dashboards: readonly Dashboard[], server: Server, from: number): Promise<void> {
  if (process.env['MUSTER_TEST_PICTURES'] === undefined) return
  await mkdir('grafana/pictures', { recursive: true })
  for (const dashboard of dashboards) {
    const answers = new Map<Panel, Line[]>()
    for (const panel of dashboard.rows.flatMap(row => row.panels))
      answers.set(panel, (await Promise.all(panel.queries.map(query => linesOf(server, query, from)))).flat())
    await writeFile(`grafana/pictures/${dashboard.uid}.svg`, picture(dashboard, answers))
  }
}

async function linesOf(server: Server, { expr, legend }: Query, from: number): Promise<Line[]> {
  const series = await server.queryRange(chosen(expr), from, Date.now() / 1000)
  return series.map(each => ({ legend: named(legend, each), points: points(each) }))
}

const named = (legend: string, { metric }: Series): string =>
  legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '')

const points = ({ values = [] }: Series): (readonly [number, number])[] =>
  values.map(([time, text]) => [time, Number(text)] as const).filter(([, value]) => Number.isFinite(value))
