/**
 * `npm run soak -- [--minutes 10] [--seed N]`: random churn and faults on the real control plane, then a look at what
 * is left. The report of the longest run is kept beside the figures of the benches.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandLine } from '../command-line.ts'
import { buildTools } from '../control-plane/build.ts'
import { Lab } from '../control-plane/lab.ts'
import { Dice } from '../control-plane/random.ts'
import { markdown, type Outcome } from './report.ts'
import { musterArgs, Soak } from './soak.ts'

const kept = join(import.meta.dirname, '..', 'bench', 'results', 'soak')

const command = new CommandLine('soak', 'usage: npm run soak -- [--minutes 10] [--seed N]\n')
const { values } = command.read({ minutes: { type: 'string' }, seed: { type: 'string' } })
const minutes = command.count('minutes', values.minutes, 10)
const dice = new Dice(values.seed === undefined ? undefined : command.count('seed', values.seed, 1))
const tools = await buildTools()
if (tools.kind === 'absent') {
  process.stderr.write(`no control plane on this machine: ${tools.reason}\n`)
  process.exit(2)
}

process.stdout.write(`${minutes} minutes of churn and faults, seed ${dice.seed}\n`)
const lab = await Lab.open(tools, { musterArgs })
try {
  const outcome = await new Soak(lab, dice).run(minutes)
  process.stdout.write(`${markdown(outcome)}\n`)
  await keep(outcome)
  process.exitCode = outcome.broken.length === 0 ? 0 : 1
} finally {
  await lab.close()
}

/** Unless a longer run is kept already. */
async function keep(outcome: Outcome): Promise<void> {
  const last = await readFile(`${kept}.json`, 'utf8').catch(() => '{"minutes":0}')
  if ((JSON.parse(last) as { minutes: number }).minutes > outcome.minutes) return
  await writeFile(`${kept}.json`, `${JSON.stringify(outcome, undefined, 2)}\n`)
  await writeFile(`${kept}.md`, markdown(outcome))
}
