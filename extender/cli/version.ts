import { parseArgs } from 'node:util'
import { reasonOf, UsageError } from '../errors.ts'
import { version as number } from '../version.ts'

const usage = `Usage: muster version [--output json]

Says which version of muster this is; as JSON, also on which Node it runs.

Example:
  muster version
`

export const version = {
  name: 'version',
  summary: 'say which version this is',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) process.stdout.write(usage)
    else if (isJson(args))
      process.stdout.write(`${JSON.stringify({ muster: number, node: process.versions.node }, null, 2)}\n`)
    else process.stdout.write(`muster ${number}\n`)
  }
}

function isJson(args: readonly string[]): boolean {
  const output = read(args)
  if (output !== undefined && output !== 'json') throw new UsageError(`--output: ${output} must be json`)
  return output === 'json'
}

function read(args: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...args], options: { output: { type: 'string', short: 'o' } } }).values.output
  } catch (error) {
    throw new UsageError(`${reasonOf(error).split('. ')[0]}; see --help`)
  }
}
