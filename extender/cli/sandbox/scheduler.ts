import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { reasonOf, UsageError } from '../../errors.ts'
import { type Flags, flagHelp } from './flags.ts'
import { listenRow, serviceCommand, serviceRows } from './running.ts'

const rows = {
  listen: listenRow('127.0.0.1:50052'),
  kubeconfig: { hint: 'FILE', help: 'of the cluster (default: KUBECONFIG, ~/.kube/config, or the service account)' },
  cluster: { hint: 'NAME', fallback: 'local', help: 'what the cluster is called in answers and events' },
  namespace: { hint: 'NAME', fallback: 'sandbox', help: 'where everything of the sandboxes is' },
  'sandbox-ttl': { hint: 'DURATION', fallback: '15m', help: 'a sandbox that asks for nothing else ends then' },
  'max-lifetime': { hint: 'DURATION', fallback: '24h', help: 'and none lives longer, however often it is retained' },
  'start-timeout': { hint: 'DURATION', fallback: '2m', help: 'a sandbox that is not ready then has failed' },
  'idempotence-ttl': { hint: 'DURATION', fallback: '24h', help: 'a key is free again then' },
  'idempotence-strict': { help: 'refuse to make sandboxes while the store of keys is away' },
  'redis-url': { hint: 'URL', help: 'where keys are kept (default: REDIS_URL, else a redis-server of its own)' },
  'no-redis': { help: 'keep keys in memory' },
  'enable-events': { help: 'tell the events service when a sandbox has ended' },
  'events-url': { hint: 'URL', fallback: 'http://127.0.0.1:50053', help: 'the events service' },
  image: { hint: 'IMAGE', fallback: 'muster-mock-sandbox:latest', help: 'what sandboxes of the template default run' },
  template: {
    hint: 'NAME=FILE',
    list: true,
    help: 'a pod template, as in a Deployment; `default` is used unless asked'
  },
  'warm-pool': {
    hint: 'TEMPLATE=N',
    list: true,
    help: 'so many running pods of a template stand ready, and give way to other work'
  },
  placeholders: { hint: 'TEMPLATE=N', list: true, help: 'so many pods that do nothing keep room for sandboxes' },
  ...serviceRows
} as const

const usage = `Usage: muster sandbox scheduler [options]

Makes sandboxes in one cluster: pods of projects, each behind a headless Service, until their time is up. Answers Connect
at /sandbox.v1.SchedulerService/… and plain HTTP at /v1/sandboxes; GET /readyz is 200 once it has seen the cluster.

${flagHelp(rows)}

Examples:
  muster sandbox scheduler --kubeconfig ~/.kube/config --no-redis
  curl -d '{"project_id": "shop"}' -H 'content-type: application/json' http://127.0.0.1:50052/v1/sandboxes
`

export const scheduler = serviceCommand({
  ...{ name: 'scheduler', summary: 'make sandboxes in one cluster', what: 'scheduler', rows, usage },
  async start(flags, log) {
    const options = { ...optionsOf(flags), log }
    const { startScheduler } = await import('../../sandbox.ts')
    return await startScheduler(options)
  }
})

function optionsOf(flags: Flags<typeof rows>) {
  const kubeconfig = flags.maybe('kubeconfig')
  const redis = flags.is('no-redis') ? (false as const) : flags.maybe('redis-url')
  return {
    ...flags.address('listen'),
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(redis !== undefined && { redis }),
    ...{ cluster: flags.text('cluster'), namespace: flags.text('namespace'), image: flags.text('image') },
    sandboxTtl: flags.duration('sandbox-ttl'),
    maxLifetime: flags.duration('max-lifetime'),
    startTimeout: flags.duration('start-timeout'),
    idempotenceTtl: flags.duration('idempotence-ttl'),
    idempotenceStrict: flags.is('idempotence-strict'),
    ...(flags.is('enable-events') && { enableEvents: true, events: flags.url('events-url') }),
    templates: Object.fromEntries(flags.list('template').map(templateOf)),
    warmPool: sizesOf(flags, 'warm-pool'),
    placeholders: sizesOf(flags, 'placeholders')
  }
}

function sizesOf(flags: Flags<typeof rows>, name: 'warm-pool' | 'placeholders'): Readonly<Record<string, number>> {
  const sizes = flags.list(name).map(text => {
    const [, template, digits] = /^([a-z0-9-]+)=(\d{1,6})$/.exec(text) ?? []
    if (template !== undefined) return [template, Number(digits)]
    throw new UsageError(`--${name}: ${JSON.stringify(text)} must be TEMPLATE=N, such as default=10`)
  })
  return Object.fromEntries(sizes) as Readonly<Record<string, number>>
}

/** `NAME=FILE`: YAML, or JSON. */
function templateOf(text: string): [string, Readonly<Record<string, unknown>>] {
  const [, name, file = ''] = /^([a-z0-9-]+)=(.+)$/.exec(text) ?? []
  if (name === undefined) throw new UsageError(`--template: ${JSON.stringify(text)} must be NAME=FILE`)
  let template: unknown
  try {
    template = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`--template: cannot read ${file}: ${reasonOf(error)}`)
  }
  if (typeof template === 'object' && template !== null && 'spec' in template) return [name, { ...template }]
  throw new UsageError(`--template: ${file} must hold a pod template with a spec`)
}
