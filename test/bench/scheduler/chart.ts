import type { Spread } from './statistics.ts'

/** One bar for each group; undefined where there is none. */
export type Series = { readonly title: string; readonly bars: readonly (Spread | undefined)[] }

/** A bar chart with the reach of all rounds on every bar. */
export type Chart = {
  readonly title: string
  /** What a bar counts. */
  readonly unit: string
  readonly groups: readonly string[]
  readonly series: readonly Series[]
}

const [width, height] = [760, 360]
const plot = { left: 56, right: 744, top: 78, bottom: 316 }
/** Told apart by those who see no red or green as well; after Okabe and Ito. */
const colours = ['#999999', '#56b4e9', '#cc79a7', '#e69f00', '#009e73', '#0072b2', '#d55e00', '#f0e442']

/** The chart as an SVG document that needs nothing from outside. */
export function svgOf({ title, unit, groups, series }: Chart): string {
  const top = ceiling(Math.max(1, ...series.flatMap(({ bars }) => bars.map(bar => bar?.most ?? 0))))
  const y = (value: number): number => plot.bottom - ((plot.bottom - plot.top) * value) / top
  const room = (plot.right - plot.left) / Math.max(1, groups.length)
  const bar = (room * 0.86) / Math.max(1, series.length)
  const x = (group: number, at: number): number => plot.left + room * (group + 0.07) + bar * at
  const bars = series.flatMap(({ bars }, at) =>
    bars.flatMap((one, group) => (one ? [drawn(one, { x: x(group, at), width: bar, y, colour: colourOf(at) })] : []))
  )
  const names = groups.map((name, group) => text(plot.left + room * (group + 0.5), plot.bottom + 20, name, 'middle'))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<g font-size="15">${text(plot.left, 24, title)}</g>`,
    ...legend(series.map(({ title }) => title)),
    ...axis(top, y),
    text(plot.left - 8, plot.top - 10, unit, 'end'),
    ...[...bars, ...names],
    '</svg>\n'
  ].join('\n')
}

type Place = {
  readonly x: number
  readonly width: number
  readonly y: (value: number) => number
  readonly colour: string
}

function drawn({ median, least, most }: Spread, { x, width, y, colour }: Place): string {
  const [middle, gap] = [x + width / 2, 2]
  const at = `x="${fixed(x + gap / 2)}" width="${fixed(width - gap)}"`
  return [
    `<rect ${at} y="${fixed(y(median))}" height="${fixed(y(0) - y(median))}" fill="${colour}"/>`,
    `<path d="M${fixed(middle)} ${fixed(y(least))}V${fixed(y(most))}" stroke="black"/>`,
    text(middle, y(most) - 4, Math.round(median).toLocaleString('en'), 'middle')
  ].join('')
}

function legend(titles: readonly string[]): readonly string[] {
  const room = (plot.right - plot.left) / 4
  return titles.map((title, at) => {
    const [x, y] = [plot.left + room * (at % 4), 42 + 16 * Math.floor(at / 4)]
    const box = `<rect x="${fixed(x)}" y="${y - 9}" width="10" height="10" fill="${colourOf(at)}"/>`
    return box + text(x + 15, y, title)
  })
}

function axis(top: number, y: (value: number) => number): readonly string[] {
  return [0, 0.25, 0.5, 0.75, 1].map(share => {
    const at = fixed(y(top * share))
    const line = `<path d="M${plot.left} ${at}H${plot.right}" stroke="${share === 0 ? 'black' : '#dddddd'}"/>`
    return line + text(plot.left - 8, y(top * share) + 4, (top * share).toLocaleString('en'), 'end')
  })
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escaped(content)}</text>`
}

/** The next round number whose quarters are round as well. */
function ceiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 4, 6, 8, 10].find(step => step * power >= value) ?? 10
  return step * power
}

function colourOf(at: number): string {
  return colours[at % colours.length] ?? 'black'
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
