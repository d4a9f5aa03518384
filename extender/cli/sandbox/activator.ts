import { flagHelp } from './flags.ts'
import { listenRow, serviceCommand, serviceRows } from './running.ts'

const rows = {
  listen: listenRow('127.0.0.1:8080'),
  scheduler: {
    hint: 'URL',
    fallback: 'http://127.0.0.1:50052',
    help: 'the scheduler of a cluster, or the front door of several'
  },
  domain: { hint: 'NAME', fallback: 'sandbox.localhost', help: 'the host NAME.DOMAIN is for project NAME' },
  tenant: { hint: 'NAME', fallback: 'default', help: 'whose projects they are' },
  'start-timeout': { hint: 'DURATION', fallback: '30s', help: 'a sandbox that takes longer is not waited for' },
  'idle-timeout': {
    hint: 'DURATION',
    help: 'a sandbox that it has made ends when no traffic came for so long (default: when its time is up)'
  },
  'waiting-requests': {
    hint: 'N',
    fallback: '100',
    help: 'so many requests wait for a project to start; to more it answers 429'
  },
  'waiting-bytes': { hint: 'N', fallback: '16777216', help: 'and so many bytes of all requests' },
  'allow-target': {
    hint: 'CIDR',
    list: true,
    help: 'traffic may also go to such addresses of sandboxes, where loopback, link-local and metadata ones are refused'
  },
  ...serviceRows
} as const

const usage = `Usage: muster sandbox activator [options]

Sends traffic on to the sandbox of its project, and wakes or makes the sandbox where there is none. The project is named
by the header X-Sandbox-Project, the host NAME.sandbox.localhost, or the path /projects/NAME/…

${flagHelp(rows)}

Examples:
  muster sandbox activator --scheduler http://127.0.0.1:50052
  curl http://127.0.0.1:8080/projects/shop/
`

export const activator = serviceCommand({
  ...{ name: 'activator', summary: 'send traffic to sandboxes, and wake them', what: 'activator', rows, usage },
  async start(flags, log) {
    const most = 2 ** 31 - 1
    const options = {
      ...flags.address('listen'),
      ...{ log, schedulerUrl: flags.url('scheduler'), domain: flags.text('domain'), tenant: flags.text('tenant') },
      allowedTargets: flags.list('allow-target'),
      startMs: flags.duration('start-timeout'),
      idleTimeoutMs: flags.maybe('idle-timeout') === undefined ? undefined : flags.duration('idle-timeout'),
      waiting: {
        requests: flags.integer('waiting-requests', 1, most),
        bytes: flags.integer('waiting-bytes', 1, most)
      }
    }
    const { startActivatorAt } = await import('../../sandbox-services.ts')
    return await startActivatorAt(options)
  }
})
