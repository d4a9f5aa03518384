import { randomUUID } from 'node:crypto'
import { UsageError } from '../../errors.ts'
import { Flags, flagHelp } from './flags.ts'

const rows = {
  'scheduler-host': { hint: 'HOST', fallback: '127.0.0.1', help: 'where the scheduler, or the front door, listens' },
  'scheduler-port': { hint: 'PORT', fallback: '50052', help: 'its port' },
  'project-id': {
    hint: 'NAME',
    help: 'its one sandbox is made, or used again (default: a new sandbox of project demo)'
  },
  'sandbox-ttl': { hint: 'DURATION', help: "how long it lives (default: the scheduler's)" },
  retain: { help: 'extend its life' },
  release: { help: 'end it' },
  verbose: { help: 'say what is behind each step' },
  help: { help: 'this text' }
} as const

const usage = `Usage: muster sandbox demo [options]

Shows what a client does with a sandbox: asks for it twice and gets it once, reaches it by the name of its Service,
extends its life, ends it.

${flagHelp(rows)}

Examples:
  muster sandbox demo --project-id=my-project
  muster sandbox demo --project-id=my-project --retain
  muster sandbox demo --project-id=my-project --release
  muster sandbox demo --scheduler-host=scheduler.sandbox.svc.cluster.local
`

export const demo = {
  name: 'demo',
  summary: 'ask for a sandbox, retain it, release it',
  async run(args: readonly string[]): Promise<void> {
    const flags = Flags.read(rows, args)
    if (flags.is('help')) {
      process.stdout.write(usage)
      return
    }
    const host = flags.text('scheduler-host')
    if (!/^[\w.-]+$|^[\da-fA-F:.]*:[\da-fA-F:.]*$/.test(host))
      throw new UsageError(`--scheduler-host: ${JSON.stringify(host)} must be a host name or an address`)
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${flags.integer('scheduler-port', 1, 65_535)}`
    const project = flags.maybe('project-id')
    const options = {
      ...{ url, projectId: project ?? 'demo', retain: flags.is('retain'), release: flags.is('release') },
      ...(project === undefined && { idempotencyKey: randomUUID() }),
      ...(flags.maybe('sandbox-ttl') !== undefined && { ttlMs: flags.duration('sandbox-ttl') }),
      say: (line: string) => void process.stdout.write(`${line}\n`),
      detail: (line: string) => void (flags.is('verbose') && process.stdout.write(`${line}\n`))
    }
    const { tourAt } = await import('../../sandbox-services.ts')
    await tourAt(options)
  }
}
