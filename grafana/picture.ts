import type { Dashboard, Panel, Unit } from './dashboard.ts'

/** What one query of a panel has answered: points in time, each series with its legend. */
export type Line = { readonly legend: string; readonly points: readonly (readonly [time: number, value: number])[] }
/** Panel → what its queries have answered. */
export type Answers = ReadonlyMap<Panel, readonly Line[]>

const column = 40
const heights = { stat: 80, timeseries: 170, heatmap: 170 } as const
const colours = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b', '#7f7f7f']
const mostLines = colours.length

/** The panels of a dashboard as one picture. It is no Grafana, and says so. */
export function picture({ title, rows }: Dashboard, answers: Answers): string {
  const parts: string[] = []
  let y = 56
  for (const { title: heading, panels } of rows) {
    parts.push(text(8, y + 16, heading, 'font-weight="bold"'))
    y += 26
    let [x, tallest] = [0, 0]
    for (const panel of panels) {
      if (x + panel.width > 24) [x, y, tallest] = [0, y + tallest, 0]
      parts.push(`<g transform="translate(${x * column},${y})">${drawn(panel, answers.get(panel) ?? [])}</g>`)
      x += panel.width
      tallest = Math.max(tallest, heights[panel.kind])
    }
    y += tallest + 8
  }
  const frame = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * column} ${y}" font-family="sans-serif" font-size="11"`
  const head = [
    text(8, 20, title, 'font-size="16"'),
    text(8, 38, 'Drawn by muster from queried data, not Grafana.', 'fill="#666"')
  ]
  return `<svg ${frame}>\n<rect width="100%" height="100%" fill="#fff"/>\n${[...head, ...parts].join('\n')}\n</svg>\n`
}

function drawn(panel: Panel, lines: readonly Line[]): string {
  const [w, h] = [panel.width * column - 8, heights[panel.kind] - 8]
  const box = `<rect width="${w}" height="${h}" fill="none" stroke="#ccc"/>`
  const body = panel.kind === 'stat' ? numbers(panel, lines) : curves(panel, lines, w, h)
  return [box, text(6, 15, panel.title), body].join('')
}

function numbers({ unit }: Panel, lines: readonly Line[]): string {
  if (lines.length === 0) return text(6, 50, 'no value', 'fill="#999"')
  const all = lines
    .slice(0, 3)
    .map(({ legend, points }) => `${shown(points.at(-1)?.[1] ?? Number.NaN, unit)} ${legend}`)
  return text(6, 50, all.join(' · '), 'font-size="16"')
}

function curves(panel: Panel, lines: readonly Line[], w: number, h: number): string {
  const all = lines.flatMap(({ points }) => points)
  if (all.length === 0) return text(6, h / 2, 'no value', 'fill="#999"')
  const times = all.map(([time]) => time)
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const top = Math.max(...all.map(([, value]) => value), 1e-9)
  const at = ([time, value]: readonly [number, number]): string => {
    const x = 6 + ((time - from) / Math.max(1, to - from)) * (w - 12)
    return `${x.toFixed(1)},${(h - 40 - (value / top) * (h - 72)).toFixed(1)}`
  }
  const paths = lines.slice(0, mostLines).map(({ legend, points }, index) => {
    const stroke = `fill="none" stroke="${colours[index]}"`
    const key = text(
      6 + (index % 4) * ((w - 12) / 4),
      h - 20 + Math.floor(index / 4) * 13,
      cut(legend, w / 28),
      `fill="${colours[index]}"`
    )
    return `<polyline ${stroke} points="${points.map(at).join(' ')}"/>${key}`
  })
  return [text(6, 29, `${shown(top, panel.unit)} at most`, 'fill="#666" font-size="9"'), ...paths].join('')
}

const units: Partial<Record<Unit, string>> = { s: ' s', ms: ' ms', reqps: ' /s', ops: ' /s' }

function shown(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return '–'
  if (unit === 'percentunit') return `${Number((value * 100).toPrecision(3))} %`
  if (unit === 'bytes') return `${Number((value / 2 ** 20).toPrecision(3))} MiB`
  return `${Number(value.toPrecision(3))}${units[unit] ?? ''}`
}

const cut = (words: string, most: number): string =>
  words.length <= most ? words : `${words.slice(0, Math.floor(most) - 1)}…`

function text(x: number, y: number, words: string, more = ''): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
  return `<text x="${x}" y="${y}" ${more}>${escaped}</text>`
}
