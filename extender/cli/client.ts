import { parseArgs } from 'node:util'
import { request } from 'undici'
import { reasonOf, UsageError } from '../errors.ts'
import { parsed } from '../sources.ts'
import { wantsJson } from './input.ts'

/** What `--help` says of them; a list is of all namespaces where none is named. */
export const clientOptions = (
  namespace: string
): string => `  --server URL         the API of a running muster (default MUSTER_SERVER or http://127.0.0.1:8889)
  -n, --namespace NS   ${namespace}
  --output json        the whole answer`

/** A server that says nothing for so long is none. */
const patienceMs = 10_000

export type ClientArgs = {
  readonly server: string
  /** Undefined where the user did not say. */
  readonly namespace: string | undefined
  readonly json: boolean
  /** Undefined where the user named nothing. */
  readonly name: string | undefined
}

/** Reads the options that all commands share which ask a running muster; throws UsageError for anything else. */
export function clientArgs(args: readonly string[]): ClientArgs {
  const spec = {
    server: { type: 'string' },
    namespace: { type: 'string', short: 'n' },
    output: { type: 'string', short: 'o' }
  } as const
  return parsed(() => {
    const { values, positionals } = parseArgs({ args: [...args], options: spec, allowPositionals: true })
    const json = wantsJson(values.output)
    const server = values.server ?? process.env.MUSTER_SERVER ?? 'http://127.0.0.1:8889'
    if (positionals.length > 1) throw new UsageError(`one name is enough: ${positionals.join(' ')}`)
    return { server: urlOf(server), namespace: values.namespace, json, name: positionals[0] }
  })
}

/** The URL of a server that the user named; throws UsageError where it is none. */
export function urlOf(server: string): string {
  if (!URL.canParse(server) || !/^https?:\/\//.test(server)) {
    throw new UsageError(
      `--server or MUSTER_SERVER: ${JSON.stringify(server)} must be a URL such as http://127.0.0.1:8889`
    )
  }
  return server.replace(/\/+$/, '')
}

/** Asks the API; throws UsageError with what it said where it says no. */
export async function ask(server: string, path: string): Promise<object> {
  const answer = await request(server + path, { headersTimeout: patienceMs, bodyTimeout: patienceMs }).catch(
    (error: unknown) => {
      throw new UsageError(
        `cannot reach muster at ${server}: ${reasonOf(error)}; is it running, and is --server right?`
      )
    }
  )
  const body: unknown = await answer.body.json().catch(() => undefined)
  if (typeof body !== 'object' || body === null) {
    throw new UsageError(`${server} answers ${answer.statusCode}, but not as muster does; is --server right?`)
  }
  if (answer.statusCode === 200) return body
  throw new UsageError('error' in body ? String(body.error) : `${server} answers ${answer.statusCode}`)
}

/** Columns as kubectl prints them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd()
    )
    .join('\n')
}
