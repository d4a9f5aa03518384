import { parseArgs } from 'node:util'
import { request } from 'undici'
import { reasonOf, UsageError } from '../errors.ts'

export const clientOptions = `  --server URL         the API of a running muster (default MUSTER_SERVER or http://127.0.0.1:8889)
  -n, --namespace NS   namespace (default: default)
  --output json        the whole answer`

export type ClientArgs = {
  readonly server: string
  /** Undefined where the user did not say. */
  readonly namespace: string | undefined
  readonly json: boolean
  readonly positionals: readonly string[]
}

/** Reads the options that all commands share which ask a running muster; throws UsageError for anything else. */
export function clientArgs(args: readonly string[]): ClientArgs {
  const spec = {
    server: { type: 'string' },
    namespace: { type: 'string', short: 'n' },
    output: { type: 'string', short: 'o' }
  } as const
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: spec, allowPositionals: true })
    if (values.output !== undefined && values.output !== 'json') throw new UsageError(`--output: ${values.output} must be json`)
    const server = values.server ?? process.env.MUSTER_SERVER ?? 'http://127.0.0.1:8889'
    return { server: server.replace(/\/+$/, ''), namespace: values.namespace, json: values.output === 'json', positionals }
  } catch (error) {
    throw new UsageError(`${reasonOf(error).split('. ')[0]}; see --help`)
  }
}

/** Asks the API; throws UsageError with what it said where it says no. */
export async function ask(server: string, path: string): Promise<unknown> {
  const answer = await request(server + path).catch((error: unknown) => {
    throw new UsageError(`cannot reach muster at ${server}: ${reasonOf(error)}; is it running, and is --server right?`)
  })
  const body: unknown = await answer.body.json().catch(() => undefined)
  if (answer.statusCode === 200) return body
  const said = typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : `it answered ${answer.statusCode}`
  throw new UsageError(said)
}

/** Columns as kubectl prints them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ').trimEnd()).join('\n')
}
