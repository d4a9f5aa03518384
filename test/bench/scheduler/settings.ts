import { parseArgs } from 'node:util'
import { contestants } from './contestants.ts'

/** What is measured. */
export type Settings = {
  readonly nodes: readonly number[]
  /** Sizes of gangs; 1 is single pods. */
  readonly sizes: readonly number[]
  readonly contestants: readonly string[]
  readonly rounds: number
  /** About so many in one run: whole gangs. */
  readonly pods: number
  /** Gated members that wait beside the single pods of the contestant `beside`. */
  readonly waiting: number
  readonly musterArgs: readonly string[]
  /** Under which name the result is kept; undefined: it is only printed. */
  readonly keep: string | undefined
}

/** The rows of `--help`. */
export const usage = `npm run bench -- scheduler [options]

  --nodes N,…         fake nodes (default 100)
  --gangs N,…         sizes of gangs; 1 is single pods (default 10)
  --contestants A,…   of ${contestants.map(({ name }) => name).join(', ')} (default all)
  --rounds N          how often each takes its turn (default 3)
  --pods N            about so many pods a run, in whole gangs (default 500)
  --waiting N         gated members that wait beside the pods of the contestant beside (default 2000)
  --muster-arg ARG    for muster serve and scheduler-config; may be repeated
  --keep NAME         write NAME.json, NAME.md and a picture (one for each size) into test/bench/results`

const options = {
  nodes: { type: 'string', default: '100' },
  gangs: { type: 'string', default: '10' },
  contestants: { type: 'string', default: contestants.map(({ name }) => name).join(',') },
  rounds: { type: 'string', default: '3' },
  pods: { type: 'string', default: '500' },
  waiting: { type: 'string', default: '2000' },
  'muster-arg': { type: 'string', multiple: true },
  keep: { type: 'string' }
} as const

/** Throws an error of one sentence for what cannot be meant. */
export function settingsOf(args: readonly string[]): Settings {
  const { values } = parseArgs({ args: [...args], options })
  const count = (key: 'rounds' | 'pods' | 'waiting'): number => counts(key, values[key])[0] ?? 0
  const names = values.contestants.split(',')
  const known = contestants.map(({ name }) => name)
  const unknown = names.find(name => !known.includes(name))
  if (unknown !== undefined)
    throw new Error(`--contestants: there is no ${JSON.stringify(unknown)}; known are ${known.join(', ')}`)
  if (values.keep !== undefined && !/^[a-z\d-]+$/.test(values.keep))
    throw new Error(`--keep: ${JSON.stringify(values.keep)} must be a name of small letters, digits and dashes`)
  return {
    nodes: counts('nodes', values.nodes),
    sizes: counts('gangs', values.gangs),
    contestants: names,
    ...{ rounds: count('rounds'), pods: count('pods'), waiting: count('waiting') },
    musterArgs: values['muster-arg'] ?? [],
    keep: values.keep
  }
}

const most = 100_000

function counts(key: string, text: string): readonly number[] {
  return text.split(',').map(each => {
    const value = Number(each)
    if (/^\d+$/.test(each) && value > 0 && value <= most) return value
    throw new Error(`--${key}: ${JSON.stringify(each)} must be an integer from 1 to ${most.toLocaleString('en')}`)
  })
}
