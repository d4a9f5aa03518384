import { Queries } from './queries.ts'
import type { Alert, Group, Record, Severity } from './rules.ts'
import { type Slo, slos } from './slos.ts'

/** Burning the budget of 30 days so many times too fast, over the long range and still over the short one. */
type Burn = {
  readonly factor: number
  readonly long: keyof typeof seconds
  readonly short: keyof typeof seconds
  readonly severity: Severity
}

const seconds = {
  '5m': 300,
  '30m': 1_800,
  '1h': 3_600,
  '2h': 7_200,
  '6h': 21_600,
  '1d': 86_400,
  '3d': 259_200
} as const

/** As chapter 5 of the SRE workbook has them. */
const burns: readonly Burn[] = [
  { factor: 14.4, long: '1h', short: '5m', severity: 'page' },
  { factor: 6, long: '6h', short: '30m', severity: 'page' },
  { factor: 3, long: '1d', short: '2h', severity: 'ticket' },
  { factor: 1, long: '3d', short: '6h', severity: 'ticket' }
]

const rules = new Queries({ scope: [], over: '5m' })

const ratio = (slo: Slo, over: string): string => `job:muster_${slo.name}_bad:ratio_rate${over}`
const traffic = (slo: Slo, over: string): string => `job:muster_${slo.name}:rate${over}`

/** `MusterLookUpsBurn` and so on, once for each of the burns. */
export const burnName = ({ name }: Slo): string =>
  `Muster${name.replaceAll(/(?:^|_)(\w)/g, (_, first: string) => first.toUpperCase())}Burn`

/** Records and alerts of one promise. */
function groupOf(slo: Slo): Group {
  const records = Object.keys(seconds).flatMap((over): Record[] => {
    const { total, bad } = slo.rates(rules, { by: ['job'], over })
    return [
      { record: traffic(slo, over), expr: total },
      { record: ratio(slo, over), expr: `${bad} / ${total}` }
    ]
  })
  return { name: `muster-${slo.name}`, records, alerts: burns.map(burn => alertOf(slo, burn)) }
}

function alertOf(slo: Slo, { factor, long, short, severity }: Burn): Alert {
  const budget = 1 - slo.objective
  const bound = round(factor * budget)
  return {
    name: burnName(slo),
    severity,
    summary: `The error budget is burnt ${factor} times too fast. The promise: ${slo.promise}`,
    labels: { long, short },
    when: [
      { expr: ratio(slo, long), is: '>', than: bound },
      { expr: ratio(slo, short), is: '>', than: bound },
      // With less traffic than that, a single failure would be such a burn.
      { expr: traffic(slo, long), is: '>', than: round(1 / (factor * budget * seconds[long])) }
    ]
  }
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}

export const burnRates: readonly Group[] = slos.map(groupOf)
