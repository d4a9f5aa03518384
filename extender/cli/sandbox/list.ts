import { table } from '../client.ts'
import { Flags, flagHelp } from './flags.ts'

const rows = {
  scheduler: { hint: 'URL', fallback: 'http://127.0.0.1:50052', help: 'the scheduler, or the front door' },
  'project-id': { hint: 'NAME', help: 'only those of this project' },
  tenant: { hint: 'NAME', fallback: 'default', help: 'whose they are' },
  output: { hint: 'FORMAT', fallback: 'table', help: 'table, or json for all that is known of each' },
  help: { help: 'this text' }
} as const

const usage = `Usage: muster sandbox list [options]

Lists the sandboxes of a cluster, or of all clusters behind a front door.

${flagHelp(rows)}

Examples:
  muster sandbox list
  muster sandbox list --project-id shop --output json
`

export const list = {
  name: 'list',
  summary: 'list the sandboxes',
  async run(args: readonly string[]): Promise<void> {
    const flags = Flags.read(rows, args)
    if (flags.is('help')) {
      process.stdout.write(usage)
      return
    }
    const output = flags.oneOf('output', ['table', 'json'])
    const url = flags.url('scheduler')
    const asked = { url, projectId: flags.maybe('project-id') ?? '', tenant: flags.text('tenant') }
    const { listAt } = await import('../../sandbox-services.ts')
    const listed = await listAt(asked)
    if (output === 'json') process.stdout.write(`${JSON.stringify({ sandboxes: listed.json }, null, 2)}\n`)
    else process.stdout.write(`${listed.json.length === 0 ? 'No sandboxes.' : table(listed.rows)}\n`)
  }
}
