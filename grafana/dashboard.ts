import { Queries } from './queries.ts'

/** What Grafana shows values in. */
export type Unit = 'short' | 's' | 'ms' | 'reqps' | 'ops' | 'percentunit' | 'bytes' | 'bool' | 'dateTimeFromNow'

export type Query = { readonly expr: string; readonly legend: string }

export type Panel = {
  readonly title: string
  /** For who has never seen it: what it shows, and what is wrong where it is not as it should be. */
  readonly description: string
  readonly kind: 'stat' | 'timeseries' | 'heatmap'
  readonly unit: Unit
  /** Of 24 columns. */
  readonly width: number
  readonly queries: readonly Query[]
  /** From this value on it is red; below it, where the sign is negative. */
  readonly red?: number
}

export type Row = { readonly title: string; readonly panels: readonly Panel[] }

export type Dashboard = {
  /** Of its address in Grafana and of its file. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly rows: readonly Row[]
  /** Series that only the processes shown have; unset, those of muster. */
  readonly processes?: string
}

/** Of every panel: what the variables at the top of the page choose. */
export const panels = new Queries({
  scope: ['job=~"$job"', 'instance=~"$instance"'],
  over: '$__rate_interval'
})

export const stat = (panel: Omit<Panel, 'kind'>): Panel => ({ kind: 'stat', ...panel })
export const timeseries = (panel: Omit<Panel, 'kind'>): Panel => ({ kind: 'timeseries', ...panel })
export const heatmap = (panel: Omit<Panel, 'kind'>): Panel => ({ kind: 'heatmap', ...panel })
