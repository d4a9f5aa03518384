import { type Logger, pino } from 'pino'
import type { Config } from '../config.ts'

/** Where lines go. */
export type Out = { write(text: string): unknown }

/** The process's log: in production one JSON object a line, in development text for people. */
export function logger({ logMode, logLevel }: Pick<Config, 'logMode' | 'logLevel'>, out: Out): Logger {
  const options = { level: logLevel, base: null }
  const lines = { write: (line: string): void => void out.write(logMode === 'production' ? line : readable(line)) }
  return pino(options, lines)
}

/** `12:00:00.000 INFO  message key=value …`, and below it the stack of an error. */
function readable(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Entry
  const name = (pino.levels.labels[level] ?? String(level)).toUpperCase().padEnd(5)
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${shown(value)}`)
  const stack = err?.stack === undefined ? '' : `\n  ${err.stack.replaceAll('\n', '\n  ')}`
  return `${new Date(time).toISOString().slice(11, 23)} ${name} ${msg ?? ''}${rest.join('')}${stack}\n`
}

type Entry = {
  readonly level: number
  readonly time: number
  readonly msg?: string
  readonly err?: { readonly stack?: string }
  readonly [field: string]: unknown
}

/** What has blanks in it needs its quotes. */
function shown(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}
