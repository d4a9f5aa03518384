import { UsageError } from '../../errors.ts'
import { Flags, flagHelp } from '../sandbox/flags.ts'

const rows = {
  'no-build': { help: 'do not build first' },
  verbose: { help: 'say what is behind each step, and show the logs of the services' },
  release: { help: 'show how a sandbox is released' },
  retain: { help: 'show how its life is extended' },
  'enable-events': { help: 'tell when a sandbox has ended, as it happens' },
  'scheduler-port': { hint: 'PORT', fallback: '50052', help: 'of the scheduler service; 0 is any that is free' },
  'global-port': { hint: 'PORT', fallback: '50051', help: 'of the global scheduler' },
  'events-port': { hint: 'PORT', fallback: '50053', help: 'of the events service' },
  'sandbox-ttl': { hint: 'DURATION', fallback: '15m', help: 'how long a sandbox lives' },
  'idempotence-ttl': { hint: 'DURATION', fallback: '24h', help: 'how long an idempotence key is remembered' },
  'no-redis': { help: 'keep idempotence keys in memory; else in the Redis of REDIS_URL or one of its own' },
  'client-only': { help: 'run only the client: the services are there already' },
  kubernetes: { help: "use the cluster of kubectl's current context instead of one inside this process" },
  help: { help: 'this text' }
} as const

export const usage = `Usage: ./demo.sh [options]

Builds, starts a cluster inside of this process with muster as its scheduler's extender, the scheduler service, the global
scheduler and, where asked for, the events service, lets a client play, and ends everything again. With --kubernetes it
builds the images and deploys to the current cluster, where the services stay.

${flagHelp(rows)}

Examples:
  ./demo.sh
  ./demo.sh --enable-events --verbose --retain --release
  ./demo.sh --kubernetes
`

/** What the user would like to see. */
export type Wish = {
  readonly help: boolean
  readonly build: boolean
  readonly verbose: boolean
  readonly release: boolean
  readonly retain: boolean
  readonly enableEvents: boolean
  readonly schedulerPort: number
  readonly globalPort: number
  readonly eventsPort: number
  readonly sandboxTtlMs: number
  readonly idempotenceTtlMs: number
  readonly redis: boolean
  readonly clientOnly: boolean
  readonly kubernetes: boolean
}

/** Throws UsageError for what is no flag, or has no good value. */
export function wishOf(args: readonly string[]): Wish {
  const flags = Flags.read(rows, args, {})
  const ports = (['scheduler-port', 'global-port', 'events-port'] as const).map(name => flags.port(name))
  const taken = ports.filter(port => port !== 0)
  if (new Set(taken).size < taken.length)
    throw new UsageError('--scheduler-port, --global-port and --events-port must be three ports')
  const [schedulerPort = 0, globalPort = 0, eventsPort = 0] = ports
  return {
    ...{ schedulerPort, globalPort, eventsPort },
    ...{ help: flags.is('help'), build: !flags.is('no-build'), verbose: flags.is('verbose') },
    ...{ release: flags.is('release'), retain: flags.is('retain'), enableEvents: flags.is('enable-events') },
    ...{ redis: !flags.is('no-redis'), clientOnly: flags.is('client-only'), kubernetes: flags.is('kubernetes') },
    sandboxTtlMs: flags.duration('sandbox-ttl'),
    idempotenceTtlMs: flags.duration('idempotence-ttl')
  }
}
