import { UsageError } from '../../errors.ts'
import { flagHelp } from './flags.ts'
import { listenRow, serviceCommand, serviceRows } from './running.ts'

const rows = {
  listen: listenRow('127.0.0.1:50051'),
  cluster: {
    hint: 'NAME=URL[,priority=N][,weight=N]',
    list: true,
    help: 'a cluster by the address of its scheduler; the lowest priority is preferred, weights share'
  },
  clusters: {
    hint: 'FILE',
    help: 'YAML: clusters [{name, endpoint, priority, weight, state}], strategy, failoverAfter'
  },
  'redis-url': { hint: 'URL', help: 'where placements are kept (default: REDIS_URL, else in this process)' },
  'no-redis': { help: 'keep placements in this process' },
  ...serviceRows
} as const

const usage = `Usage: muster sandbox global --cluster NAME=URL … [options]

The front door over the schedulers of several clusters: chooses one by priority and weight, and sends all that is about a
sandbox to where it is. It is asked as the scheduler of one cluster is; GET /v1/placement?project=NAME tells its choice.

${flagHelp(rows)}

Example:
  muster sandbox global --cluster here=http://127.0.0.1:50052 --cluster there=http://10.0.0.7:50052,priority=1
`

export const global = serviceCommand({
  ...{ name: 'global', summary: 'choose the cluster of each sandbox', what: 'front door', rows, usage },
  async start(flags, log) {
    const redis = flags.is('no-redis') ? undefined : (flags.maybe('redis-url') ?? process.env.REDIS_URL)
    const { startGlobal, entriesOfFlags, settingsOfFile } = await import('../../sandbox-services.ts')
    const [file, clusters] = [flags.maybe('clusters'), flags.list('cluster')]
    if (file !== undefined && clusters.length > 0)
      throw new UsageError('--cluster and --clusters: give the clusters as flags or in a file, not both')
    const settings =
      file === undefined
        ? { clusters: entriesOfFlags(clusters), strategy: 'rendezvous' as const, failoverAfterMs: 300_000 }
        : settingsOfFile(file)
    const options = { ...flags.address('listen'), log, settings, ...(redis !== undefined && { redis }) }
    return await startGlobal(options)
  }
})
