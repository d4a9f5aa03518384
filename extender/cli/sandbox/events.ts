import { env } from 'node:process'
import { flagHelp } from './flags.ts'
import { listenRow, serviceCommand, serviceRows } from './running.ts'

const rows = {
  listen: listenRow('127.0.0.1:50053'),
  webhook: { hint: 'URL', list: true, help: 'is told of each end, signed with the newest of the secrets' },
  webhooks: { hint: 'FILE', help: 'YAML: webhooks [{url, secrets, allow}]' },
  'allow-private-webhooks': { help: 'webhooks may lead to private and loopback addresses' },
  hook: { hint: 'MODULE', list: true, help: 'a module that exports onTerminated(event), run in this process' },
  'redis-url': { hint: 'URL', help: 'where events are kept (default: REDIS_URL, else in this process)' },
  'no-redis': { help: 'keep events in this process' },
  ...serviceRows
} as const

const usage = `Usage: muster sandbox events [options]

Takes in that sandboxes have ended and tells whoever wants to know: log, live streams, webhooks, hooks. Secrets of webhooks
are in MUSTER_SANDBOX_WEBHOOK_SECRETS, whsec_… each, the newest first, separated by commas.

${flagHelp(rows)}

Examples:
  muster sandbox events --webhook https://example.com/ended
  curl -N http://127.0.0.1:50053/v1/events -H 'accept: text/event-stream'
`

export const events = serviceCommand({
  ...{
    name: 'events',
    summary: 'tell who wants to know that sandboxes have ended',
    what: 'events service',
    rows,
    usage
  },
  async start(flags, log) {
    const options = {
      ...flags.address('listen'),
      ...{ log, webhooks: flags.list('webhook'), webhooksFile: flags.maybe('webhooks'), hooks: flags.list('hook') },
      secrets: (env['MUSTER_SANDBOX_WEBHOOK_SECRETS'] ?? '').split(',').filter(secret => secret !== ''),
      allowPrivate: flags.is('allow-private-webhooks'),
      redis: flags.is('no-redis') ? undefined : (flags.maybe('redis-url') ?? env['REDIS_URL'])
    }
    const { startEvents } = await import('../../sandbox-services.ts')
    return await startEvents(options)
  }
})
