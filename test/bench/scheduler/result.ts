import type { Figures } from './figures.ts'
import type { Load } from './loads.ts'

/** Everything that one run of the bench found out; kept as JSON. */
export type Result = {
  readonly conditions: Conditions
  readonly cells: readonly Cell[]
}

/** Without them the figures mean nothing. */
export type Conditions = {
  readonly date: string
  readonly command: string
  readonly commit: string
  /** Program → version. */
  readonly versions: Readonly<Record<string, string>>
  readonly machine: string
  /** Processes that wanted a core, before and after: what exceeds the number of cores waited. */
  readonly load: readonly number[]
}

/** All rounds of one contestant with one load on so many nodes. */
export type Cell = {
  readonly nodes: number
  readonly load: Load
  readonly contestant: string
  readonly title: string
  readonly rounds: readonly Figures[]
}

/** The cells that were measured alternately. */
export type Block = { readonly nodes: number; readonly load: Load; readonly cells: readonly Cell[] }

/** The blocks of a result, in its order. */
export function blocksOf({ cells }: Pick<Result, 'cells'>): readonly Block[] {
  const groups = Map.groupBy(cells, ({ nodes, load }) => `${nodes} ${load.size}`)
  return [...groups.values()].map(cells => ({ nodes: cells[0]!.nodes, load: cells[0]!.load, cells }))
}
