/**
 * `npm run simulate`: muster in a simulated world, seed after seed, with a summary at the end.
 * `-- --seeds 5000 --from 1`, `-- --minutes 120`, or one seed with all that happens in it: `-- --seed 42`.
 * `-- --mutants` makes muster wrong in each known way and says which invariant noticed; `--only TEXT` of their names.
 */
import { CommandLine } from '../command-line.ts'
import { simulate } from './simulate.ts'
import { deathsOf, row } from './deaths.ts'
import { mutants } from './mutants.ts'
import { simulateAll } from './pool.ts'
import { Summary } from './summary.ts'

const usage =
  'usage: npm run simulate -- [--seed N | --seeds N | --minutes N] [--from N] | --mutants [--only TEXT] [--seeds N]\n'
const command = new CommandLine('simulate', usage)
const { values } = command.read({
  seed: { type: 'string' },
  seeds: { type: 'string' },
  from: { type: 'string', default: '0' },
  minutes: { type: 'string' },
  mutants: { type: 'boolean' },
  only: { type: 'string', default: '' }
})
const most = values.seeds ?? (values.minutes === undefined ? '1000' : String(2 ** 31))
const limits = { seeds: numberOf('seeds', most), from: numberOf('from', values.from) }
const endsAt = performance.now() + numberOf('minutes', values.minutes ?? '1440') * 60_000

if (values.mutants) await killMutants()
else if (values.seed === undefined) await simulateMany()
else await simulateOne(numberOf('seed', values.seed))

async function simulateMany(): Promise<void> {
  const summary = new Summary()
  let told = 0
  await simulateAll(numbers(limits.from, limits.seeds), report => {
    summary.add(report)
    if (report.broken.length > 0) say(`seed ${report.seed}: ${report.broken.join('; ')}`)
    if (summary.seconds - told >= 10) {
      told = summary.seconds
      say(`${summary.rate()}, ${summary.failures.length} failed`)
    }
    return performance.now() < endsAt
  })
  say(summary.text())
  process.exitCode = summary.failures.length === 0 ? 0 : 1
}

async function killMutants(): Promise<void> {
  const chosen = mutants.filter(({ name }) => name.includes(values.only))
  const deaths = await deathsOf(chosen, {
    seeds: numberOf('seeds', values.seeds ?? '400'),
    told: death => say(row(death))
  })
  process.exitCode = deaths.every(({ broken }) => broken !== undefined) ? 0 : 1
}

async function simulateOne(seed: number): Promise<void> {
  const { lines, broken, digest, steps } = await simulate(seed, { whole: true })
  for (const line of lines) say(line)
  say(`\nseed ${seed}: ${digest}, ${steps} steps, ${broken.length === 0 ? 'all holds' : broken.join('\n')}`)
  process.exitCode = broken.length === 0 ? 0 : 1
}

function* numbers(from: number, count: number): Generator<number> {
  for (let seed = from; seed < from + count; seed += 1) yield seed
}

function numberOf(option: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  return command.refuse(`--${option}: ${JSON.stringify(text)} must be a whole number`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
