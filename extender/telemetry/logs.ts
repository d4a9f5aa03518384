import { type Logger, pino } from 'pino'
import type { Counter } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { bounded, cut } from './bounded.ts'
import { Repeats } from './repeats.ts'

export type LogParts = {
  /** Where lines go. */
  readonly out: { write(text: string): void }
  readonly clock: Clock
  readonly lines: Counter<'result'>
}

/**
 * The process's log: in production one JSON object a line, in development text for people. Warnings and errors that
 * come again and again are told a few times and then counted; nothing of a line is longer than it can bear.
 */
export function logger(
  { logMode, logLevel }: Pick<Config, 'logMode' | 'logLevel'>,
  { out, clock, lines }: LogParts
): Logger {
  const { warn, fatal } = pino.levels.values as { readonly warn: number; readonly fatal: number }
  const repeats = new Repeats(clock, (message, count) => log.warn({ message, count }, 'left out lines that repeat'))
  const log = pino(
    {
      ...{ level: logLevel, base: null },
      formatters: { log: bounded },
      // It is bounded already.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method, level) {
          const words = args.map(each => (typeof each === 'string' ? cut(each) : each)) as typeof args
          const message = words.find(each => typeof each === 'string') ?? ''
          if (level < warn || level >= fatal || repeats.admit(message)) method.apply(this, words)
          else lines.inc({ result: 'suppressed' })
        }
      }
    },
    { write: (line: string): void => out.write(logMode === 'production' ? escaped(line) : readable(line)) }
  )
  return log
}

/** `12:00:00.000 INFO  message key=value …`, and below it the stack of an error. */
function readable(line: string): string {
  const { level, time, msg = '', err, ...fields } = JSON.parse(line) as Entry
  const name = (pino.levels.labels[level] ?? String(level)).toUpperCase().padEnd(5)
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${shown(value)}`)
  const head = escaped(`${new Date(time).toISOString().slice(11, 23)} ${name} ${msg}${rest.join('')}`)
  const stack = err?.stack?.split('\n').map(each => `\n  ${escaped(each)}`) ?? []
  return `${head}${stack.join('')}\n`
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

/** Nothing that moves a terminal's cursor or turns the direction of text, whoever wrote it into a name; JSON stays JSON. */
function escaped(line: string): string {
  return line.replaceAll(/(?!\n$)[\p{Cc}\p{Cf}\u2028\u2029]/gu, each =>
    [...Array(each.length).keys()].map(index => `\\u${each.charCodeAt(index).toString(16).padStart(4, '0')}`).join('')
  )
}
