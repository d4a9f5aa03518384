import type { Figures } from './figures.ts'
import { titleOf } from './loads.ts'
import { type Block, blocksOf, type Cell, type Conditions, type Result } from './result.ts'
import { ratios, type Spread, spread } from './statistics.ts'

type Column = { readonly head: string; readonly of: (cell: Cell, block: Block) => string }
type Figure = (figures: Figures) => number | undefined

const speed: Figure = ({ podsPerSecond }) => podsPerSecond
const loop: Figure = ({ loopMs }) => loopMs
/** Of all processes together. */
const cpu: Figure = of => sum(Object.values(of.cpu))

/** How fast, and against whom. */
const pace: readonly Column[] = [
  { head: '', of: ({ title }) => title },
  { head: 'pods/s', of: range(speed, 0) },
  { head: '× stock', of: against('stock', speed) },
  { head: '× native', of: against('native', speed) },
  { head: 'a gang whole after, s: p50 · p99', of: pair(({ gangSeconds }) => gangSeconds, 1) },
  { head: 'loop ms/pod', of: range(loop, 2) },
  { head: 'loop × native', of: against('native', loop) },
  { head: 'attempts/pod', of: middle(({ attemptsPerPod }) => attemptsPerPod, 2) }
]

/** What it costs. */
const price: readonly Column[] = [
  { head: '', of: ({ title }) => title },
  { head: 'CPU ms/pod', of: (cell, block) => range(of => perPod(cpu(of), block), 1)(cell) },
  { head: 'API server · etcd · scheduler · extender', of: shares },
  { head: 'CPU × stock', of: against('stock', cpu) },
  { head: 'CPU × native', of: against('native', cpu) },
  { head: 'writes/pod: bind + status + other', of: writes },
  { head: 'events/pod', of: middle(({ writesPerPod }) => writesPerPod.events, 2) },
  { head: 'filter ms: p50 · p99', of: pair(({ filterMs }) => filterMs, 1) },
  { head: 'bind ms: p50 · p99', of: pair(({ bindMs }) => bindMs, 0) },
  { head: 'RSS MiB: scheduler · extender', of: memory }
]

/** The report for people. */
export function markdownOf(result: Result, name: string): string {
  const blocks = blocksOf(result).map(block => [
    `## ${block.nodes.toLocaleString('en')} nodes, ${titleOf(block.load)}`,
    ...[table(pace, block), table(price, block)]
  ])
  return `${[`# ${name}`, conditionsOf(result.conditions), ...blocks.flat()].join('\n\n')}\n`
}

function conditionsOf({ date, command, commit, versions, machine, load }: Conditions): string {
  const programs = Object.entries(versions).map(([program, version]) => `${program} ${version}`)
  return [
    `\`${command}\` at ${commit} on ${date}; ${machine}; ${programs.join(', ')}.`,
    `Load averages before and after: ${load.map(each => each.toFixed(1)).join(', ')}. Contestants take turns in every round;`,
    "a ratio is of one round's figures, and what stands in parentheses is the least and the most of all rounds.",
    'Pods are there first, then kube-scheduler starts: the clock runs from its readiness to the last binding. muster hears of',
    'the pods at the same moment. Nodes are ready objects without kubelets. Clients may do 1,000 requests a second, 2,000 at once.'
  ].join('\n')
}

function table(columns: readonly Column[], block: Block): string {
  const rows = block.cells
    .filter(({ rounds }) => rounds.length > 0)
    .map(cell => columns.map(({ of }) => of(cell, block)))
  // A column that nobody fills says nothing.
  const filled = columns.map((_, at) => at === 0 || rows.some(row => row[at] !== ''))
  const line = (texts: readonly string[]): string => `| ${texts.filter((_, at) => filled[at]).join(' | ')} |`
  const rule = line(columns.map(() => '---')).replaceAll(' ', '')
  return [line(columns.map(({ head }) => head)), rule, ...rows.map(line)].join('\n')
}

function range(figure: Figure, digits: number): (cell: Cell) => string {
  return cell => {
    const values = valuesOf(cell, figure)
    return values.length === 0 ? '' : rangeText(spread(values), digits)
  }
}

function middle(figure: Figure, digits: number): (cell: Cell) => string {
  return cell => {
    const values = valuesOf(cell, figure)
    return values.length === 0 ? '' : number(spread(values).median, digits)
  }
}

function against(name: string, figure: Figure): Column['of'] {
  return (cell, { cells }) => {
    const other = cells.find(({ contestant }) => contestant === name)
    if (!other || other === cell) return ''
    const values = ratios(valuesOf(cell, figure), valuesOf(other, figure))
    return values.length === 0 ? '' : rangeText(spread(values), 2)
  }
}

function pair(percentiles: (of: Figures) => { p50: number; p99: number } | undefined, digits: number): Column['of'] {
  return cell => {
    const [p50, p99] = (['p50', 'p99'] as const).map(name => middle(of => percentiles(of)?.[name], digits)(cell))
    return p50 === '' ? '' : `${p50} · ${p99}`
  }
}

function writes(cell: Cell): string {
  const kinds = ['bindings', 'status', 'other'] as const
  const each = kinds.map(kind => spread(cell.rounds.map(({ writesPerPod }) => writesPerPod[kind])).median)
  return `${number(sum(each), 2)}: ${each.map(value => number(value, 2)).join(' + ')}`
}

const control = ['kube-apiserver', 'etcd', 'kube-scheduler'] as const

/** Whoever is none of the control plane is the extender. */
function extenderOf(of: Readonly<Record<string, number>>): number | undefined {
  const name = Object.keys(of).find(name => !control.some(each => each === name))
  return name === undefined ? undefined : of[name]
}

function shares(cell: Cell, block: Block): string {
  const figures: readonly Figure[] = [...control.map(name => (of: Figures) => of.cpu[name]), of => extenderOf(of.cpu)]
  const texts = figures.map(figure => middle(of => perPod(figure(of), block), 1)(cell))
  return texts.filter(text => text !== '').join(' · ')
}

function memory(cell: Cell): string {
  const figures: readonly Figure[] = [of => of.rss['kube-scheduler'], of => extenderOf(of.rss)]
  return figures
    .map(figure => middle(figure, 0)(cell))
    .filter(text => text !== '')
    .join(' · ')
}

/** Milliseconds from seconds. */
function perPod(seconds: number | undefined, { load }: Block): number | undefined {
  return seconds === undefined ? undefined : (seconds * 1000) / load.pods
}

function valuesOf({ rounds }: Cell, figure: Figure): readonly number[] {
  return rounds.map(figure).filter(value => value !== undefined)
}

function rangeText({ median, least, most }: Spread, digits: number): string {
  const [low, high] = [number(least, digits), number(most, digits)]
  return low === high ? low : `${number(median, digits)} (${low} to ${high})`
}

function number(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0)
}
