import { cpus, loadavg } from 'node:os'
import type { Vitals } from './vitals.ts'

/** What one run was and found. */
export interface Outcome {
  readonly at: string
  readonly minutes: number
  readonly seed: number
  readonly node: string
  readonly cores: number
  /** Of the machine, over 15 minutes, at the end. */
  readonly load: number
  readonly churn: Readonly<Record<string, number>>
  readonly troubles: Readonly<Record<string, number>>
  /** Of the last process of muster: once a trouble-free round had warmed it up, and when all was over. */
  readonly before: Vitals
  readonly after: Vitals
  readonly most: Vitals
  readonly gangs: { readonly seen: number; readonly whole: number }
  /** Seconds: the longest that a gang which nobody disturbed was bound in part. */
  readonly longestPartial: number
  readonly bindings: number
  /** What did not hold; empty when all did. */
  readonly broken: readonly string[]
}

/** Where and when. */
export const conditions = () => ({
  at: new Date().toISOString(),
  node: process.version,
  cores: cpus().length,
  load: Math.round((loadavg()[2] ?? 0) * 10) / 10
})

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')

/** The run as people read it. */
export function markdown(outcome: Outcome): string {
  const { before, after, most, gangs } = outcome
  const vitals: readonly (keyof Vitals)[] = ['rss', 'handles', 'holds', 'series']
  const names = { rss: 'RSS, MiB', handles: 'open files and sockets', holds: 'holds', series: 'time series' }
  const counted = (counts: Readonly<Record<string, number>>): string =>
    table(['what', 'how often'], Object.entries(counts))
  return `# Soak

The longest run of \`npm run soak\`: etcd, kube-apiserver, kube-scheduler and muster under random churn and faults.
${outcome.at}, ${outcome.minutes} minutes, seed ${outcome.seed}, Node ${outcome.node}, ${outcome.cores} shared cores, load ${outcome.load}.

${outcome.broken.length === 0 ? 'Everything held.' : `**Did not hold:** ${outcome.broken.join('; ')}`}

${gangs.seen} gangs were created, ${gangs.whole} of them stood whole at some time; ${outcome.bindings} Bindings were sent. No pod was bound twice, no node
held more pods than it takes, no Binding was sent that kube-scheduler did not wait for, and no gang was bound in part at the end. A gang
that nobody disturbed was bound in part for ${outcome.longestPartial} s at most, outages included.

${table(
  ['the last muster', 'before', 'most', 'after everything was deleted'],
  vitals.map(key => [names[key], before[key], most[key], after[key]])
)}

## Churn

${counted(outcome.churn)}

## Troubles

${counted(outcome.troubles)}
`
}
