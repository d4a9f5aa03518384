import { env } from 'node:process'
import { parseArgs } from 'node:util'
import { parseDuration, parseInteger } from '../../../policies/parse.ts'
import { UsageError } from '../../errors.ts'
import { parsed } from '../../sources.ts'

/** A flag: without a hint it takes no value. */
export type Row = {
  readonly hint?: string
  readonly help: string
  readonly fallback?: string
  readonly list?: true
}
export type Rows = Readonly<Record<string, Row>>

const longestMs = 365 * 24 * 3_600_000

/** What the user said to one command: flags, else variables `MUSTER_SANDBOX_…`, else what is usual. */
export class Flags<R extends Rows> {
  readonly #rows: R
  readonly #values: ReadonlyMap<string, readonly string[]>

  private constructor(rows: R, values: ReadonlyMap<string, readonly string[]>) {
    this.#rows = rows
    this.#values = values
  }

  /** Throws UsageError where a flag is none, or comes without its value. */
  static read<R extends Rows>(rows: R, args: readonly string[], variables: typeof env = env): Flags<R> {
    const values = new Map<string, readonly string[]>()
    for (const [name, row] of Object.entries(rows)) {
      const text = row.hint === undefined ? undefined : variables[variableOf(name)]
      if (text !== undefined && text !== '') values.set(name, row.list ? text.split(',') : [text])
    }
    for (const [name, value] of Object.entries(valuesIn(args, rows)))
      values.set(name, Array.isArray(value) ? value.map(String) : [])
    return new Flags(rows, values)
  }

  /** Whether a flag without a value was given. */
  is(name: keyof R & string): boolean {
    return this.#values.has(name)
  }

  list(name: keyof R & string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  maybe(name: keyof R & string): string | undefined {
    return this.list(name).at(-1) ?? this.#rows[name]?.fallback
  }

  text(name: keyof R & string): string {
    const text = this.maybe(name)
    if (text !== undefined && text !== '') return text
    throw new UsageError(`--${name} is missing; see --help`)
  }

  oneOf<T extends string>(name: keyof R & string, allowed: readonly T[]): T {
    const text = this.text(name)
    const found = allowed.find(each => each === text)
    if (found !== undefined) return found
    throw new UsageError(`--${name}: ${JSON.stringify(text)} must be one of ${allowed.join(', ')}`)
  }

  /** A Go duration, in milliseconds. */
  duration(name: keyof R & string): number {
    const text = this.text(name)
    const ms = parseDuration(text)
    if (ms !== undefined && ms >= 1 && ms <= longestMs) return ms
    throw new UsageError(`--${name}: ${JSON.stringify(text)} must be a duration up to 8760h, such as 90s or 1h30m`)
  }

  integer(name: keyof R & string, least: number, most: number): number {
    const text = this.text(name)
    const value = parseInteger(text)
    if (value !== undefined && value >= least && value <= most) return value
    throw new UsageError(`--${name}: ${JSON.stringify(text)} must be a whole number from ${least} to ${most}`)
  }

  /** 0 is any that is free. */
  port(name: keyof R & string): number {
    return this.integer(name, 0, 65_535)
  }

  /** `HOST:PORT`; IPv6 stands in brackets. */
  address(name: keyof R & string): { readonly host: string; readonly port: number } {
    const text = this.text(name)
    const [, v6, plain, digits] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? []
    const host = v6 ?? plain
    if (host !== undefined && Number(digits) <= 65_535) return { host, port: Number(digits) }
    throw new UsageError(`--${name}: ${JSON.stringify(text)} must be HOST:PORT, such as 127.0.0.1:50052`)
  }

  /** Of a service, without a slash at its end. */
  url(name: keyof R & string): string {
    const text = this.text(name)
    if (URL.canParse(text) && /^https?:\/\/[^?#\s]+$/.test(text)) return text.replace(/\/+$/, '')
    throw new UsageError(`--${name}: ${JSON.stringify(text)} must be a URL such as http://127.0.0.1:50052`)
  }
}

function valuesIn(args: readonly string[], rows: Rows): Readonly<Record<string, unknown>> {
  const kinds = { flag: { type: 'boolean' }, value: { type: 'string', multiple: true } } as const
  const kindOf = ({ hint }: Row): (typeof kinds)['flag' | 'value'] => (hint === undefined ? kinds.flag : kinds.value)
  const options = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, kindOf(row)]))
  return parsed(() => parseArgs({ args: [...args], options, allowPositionals: false }).values)
}

function variableOf(name: string): string {
  return `MUSTER_SANDBOX_${name.toUpperCase().replaceAll('-', '_')}`
}

/** The rows of `--help`. */
export function flagHelp(rows: Rows): string {
  const lines = Object.entries(rows).map(([name, { hint, ...row }]) => ({
    ...row,
    left: `--${name}${hint === undefined ? '' : ` ${hint}`}`
  }))
  const width = Math.max(...lines.map(({ left }) => left.length))
  return lines.map(row => `  ${row.left.padEnd(width)}  ${row.help}${ends(row)}`).join('\n')
}

function ends({ fallback, list }: Row): string {
  return `${list ? '; may be repeated' : ''}${fallback === undefined ? '' : ` (default ${fallback})`}`
}
