import type { Chart } from './chart.ts'
import { titleOf } from './loads.ts'
import type { Block } from './result.ts'
import { spread } from './statistics.ts'

/** Size of the gangs → throughput by node count. */
export function chartsOf(blocks: readonly Block[]): ReadonlyMap<number, Chart> {
  const sorted = blocks.toSorted((one, other) => one.nodes - other.nodes)
  const bySize = Map.groupBy(sorted, ({ load }) => load.size)
  return new Map([...bySize].map(([size, all]) => [size, chartOf(all)]))
}

function chartOf(blocks: readonly Block[]): Chart {
  const all = blocks.flatMap(({ cells }) => cells)
  const titles = new Set(all.filter(({ rounds }) => rounds.length > 0).map(({ title }) => title))
  return {
    title: `Pods a second, ${titleOf(blocks[0]!.load)}: median, least and most of ${rounds(blocks)}`,
    unit: 'pods/s',
    groups: blocks.map(({ nodes }) => `${nodes.toLocaleString('en')} nodes`),
    series: [...titles].map(title => ({
      title,
      bars: blocks.map(({ cells }) => {
        const values = cells.find(cell => cell.title === title)?.rounds.map(({ podsPerSecond }) => podsPerSecond) ?? []
        return values.length === 0 ? undefined : spread(values)
      })
    }))
  }
}

function rounds(blocks: readonly Block[]): string {
  const { least, most } = spread(blocks.flatMap(({ cells }) => cells.map(({ rounds }) => rounds.length)))
  if (most === 1) return '1 round'
  return least === most ? `${most} rounds` : `${least} to ${most} rounds`
}
