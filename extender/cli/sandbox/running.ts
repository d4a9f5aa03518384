import { pino, type Logger } from 'pino'
import { logLevels } from '../../options.ts'
import { Flags, type Row, type Rows } from './flags.ts'

/** Something that runs until it is closed. */
export type Service = { readonly url: string; close(): Promise<void> }

/** The flags that all services have. */
export const serviceRows = {
  'log-level': { hint: 'LEVEL', fallback: 'info', help: logLevels.join(', ') },
  help: { help: 'this text' }
} as const satisfies Rows

/** Where a service listens. */
export const listenRow = (fallback: string): Row => ({
  hint: 'HOST:PORT',
  fallback,
  help: 'where it listens; port 0 is any'
})

const logOf = (flags: Flags<typeof serviceRows>): Logger =>
  pino({ level: flags.oneOf('log-level', logLevels), base: null })

type Command = {
  readonly name: string
  readonly summary: string
  run(args: readonly string[]): Promise<void>
}

type ServiceParts<R extends Rows & typeof serviceRows> = {
  readonly name: string
  readonly summary: string
  /** In the log. */
  readonly what: string
  readonly rows: R
  readonly usage: string
  /** Reads what the user said, throws UsageError where that will not do, and starts. */
  readonly start: (flags: Flags<R>, log: Logger) => Promise<Service>
}

/** The command of a service: its help, or the service until a signal. */
export function serviceCommand<R extends Rows & typeof serviceRows>(parts: ServiceParts<R>): Command {
  const { name, summary, what, rows, usage, start } = parts
  return {
    ...{ name, summary },
    async run(args: readonly string[]): Promise<void> {
      const flags = Flags.read(rows, args)
      if (flags.is('help')) {
        process.stdout.write(usage)
        return
      }
      const log = logOf(flags)
      await runUntilSignal(what, log, () => start(flags, log))
    }
  }
}

/** Runs it until SIGTERM or SIGINT, then closes it; a second signal ends the process at once. */
async function runUntilSignal(what: string, log: Logger, start: () => Promise<Service>): Promise<void> {
  const service = await start()
  log.info({ url: service.url }, `the ${what} listens`)
  const signal = await nextSignal()
  log.info({ signal }, 'closing')
  await service.close()
  log.info('closed')
}

/** The timer keeps the process alive; the signal ends the wait, so that everything is closed. */
function nextSignal(): Promise<string> {
  const timer = setInterval(() => {}, 60_000)
  return new Promise(resolve => {
    const hear = (signal: string): void => {
      clearInterval(timer)
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, hear).once(name, () => process.exit(130))
      resolve(signal)
    }
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, hear)
  })
}
