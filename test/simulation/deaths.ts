import { availableParallelism } from 'node:os'
import type { Mutant } from './mutants.ts'
import { simulateAll } from './pool.ts'

/** What became of one mutant. */
export type Death = {
  readonly mutant: Mutant
  /** How many seeds it lived through. */
  readonly seeds: number
  /** What noticed it; undefined where nothing did. */
  readonly broken: string | undefined
}

const preload = new URL('./mutate.ts', import.meta.url).href

/** Runs each mutant, in a process of its own, seed after seed until something notices it. */
export async function deathsOf(
  mutants: readonly Mutant[],
  { seeds, told = () => {} }: { readonly seeds: number; readonly told?: (death: Death) => void }
): Promise<readonly Death[]> {
  const left = mutants.values()
  const deaths: Death[] = []
  const work = async (): Promise<void> => {
    for (const mutant of left) {
      const death = await deathOf(mutant, seeds)
      deaths.push(death)
      told(death)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return deaths
}

async function deathOf(mutant: Mutant, most: number): Promise<Death> {
  let seeds = 0
  let broken: string | undefined
  await simulateAll(
    Array.from({ length: most }, (_, index) => index + 1).values(),
    report => {
      broken = report.broken[0]
      if (broken === undefined) seeds += 1
      return broken === undefined
    },
    { workers: 1, execArgv: ['--import', preload], env: { MUTANT: mutant.name } }
  )
  return { mutant, seeds, broken }
}

/** One line of the table: name, file, text and text, what noticed it. */
export function row({ mutant: { name, file, from, to }, seeds, broken }: Death): string {
  const end = broken === undefined ? `SURVIVED ${seeds} seeds` : `after ${seeds} seeds: ${broken.slice(0, 110)}`
  return `| ${name} | ${file} | ${oneLine(from)} → ${oneLine(to)} | ${end} |`
}

const oneLine = (text: string): string => JSON.stringify(text).slice(1, -1)
