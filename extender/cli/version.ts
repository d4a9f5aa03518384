import { parseArgs } from 'node:util'
import { version as number } from '../version.ts'
import { parsed } from '../sources.ts'
import { wantsJson } from './input.ts'

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
  const options = { output: { type: 'string', short: 'o' } } as const
  return wantsJson(parsed(() => parseArgs({ args: [...args], options })).values.output)
}
