import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { managed } from '../../policies/names.ts'
import { type Config, loadConfig } from '../config.ts'
import { UsageError } from '../errors.ts'
import { flags, parsed } from '../sources.ts'
import { argumentsOf, wantsJson } from './input.ts'
import { check } from './lint/check.ts'

const usage = `Usage: muster scheduler-config --kubeconfig FILE --extender URL [--ca FILE [--client-cert FILE --client-key FILE]]
                               [--scheduler-name NAME[=PROFILE]]... [--bind-timeout DURATION]
                               [--lease NAMESPACE/NAME [--scope all|gangs]] [--output json]

Prints the KubeSchedulerConfiguration for the stock kube-scheduler: FILE is its own kubeconfig, URL is where it reaches
muster. Give the same --scheduler-name, --bind-timeout, --lease and --scope to "muster serve".

A URL of https needs --ca, the file with the certificates that sign for muster. --client-cert and --client-key are what
kube-scheduler shows a muster that asks for it (--tls-client-ca). These are files of kube-scheduler's host; it reads the
client's again when they change, the CA only when it starts.

With replicas, --lease names the Lease by which the kube-schedulers elect their leader; each asks the muster beside it.
--scope gangs: kube-scheduler asks only about pods that want ${managed.filter} and ${managed.bind}, which the admission
policy adds to the pods that muster plans; all others cost muster nothing.

What "muster lint" would say of it, such as of plain HTTP to another machine, is written to standard error.

Example:
  muster scheduler-config --kubeconfig /etc/kubernetes/scheduler.conf --extender http://127.0.0.1:8888 > config.yaml
  kube-scheduler --config config.yaml
`

/**
 * Two entries to one server: filter and preempt hold up the scheduling loop and get a short timeout; bind waits at the
 * barrier and gets a long one. Never ignorable: an outage must not start a gang in part. prioritize is left out while
 * no policy scores.
 */
export function schedulerConfiguration(config: Config, extender: string): object {
  // Made anew for each: what is the same object twice would be printed as an alias.
  const entry = (): object => ({
    urlPrefix: extender,
    ...tlsOf(config, extender),
    nodeCacheCapable: true,
    ignorable: false
  })
  return {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: {
      ...(config.kubeconfig === undefined ? {} : { kubeconfig: config.kubeconfig }),
      qps: 1000,
      burst: 2000
    },
    leaderElection: electionOf(config),
    profiles: [...config.schedulerNames.keys()].map(schedulerName => ({ schedulerName })),
    extenders: [
      { ...entry(), filterVerb: 'filter', preemptVerb: 'preempt', httpTimeout: '2s', ...only(config, managed.filter) },
      { ...entry(), bindVerb: 'bind', httpTimeout: `${config.bindTimeoutMs / 1000}s`, ...only(config, managed.bind) }
    ]
  }
}

function electionOf({ lease }: Config): object {
  if (!lease) return { leaderElect: false }
  const { namespace: resourceNamespace, name: resourceName } = lease
  return { leaderElect: true, resourceLock: 'leases', resourceNamespace, resourceName }
}

/** Of all pods, or of those alone that want the resource. */
function only({ scope }: Config, name: string): object {
  return scope === 'all' ? {} : { managedResources: [{ name, ignoredByScheduler: true }] }
}

export const schedulerConfig = {
  name: 'scheduler-config',
  summary: 'print the configuration for kube-scheduler',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { values } = parsed(() => parseArgs({ args: [...args], options: { ...flags, output } }))
    const { output: form, ...told } = values
    const json = wantsJson(form)
    const config = loadConfig(argumentsOf(told), process.env)
    const content = schedulerConfiguration(config, extenderOf(config))
    const text = json ? `${JSON.stringify(content, null, 2)}\n` : yaml(content)
    process.stdout.write(text)
    process.stderr.write(doubts(text, config))
  }
}

const output = { type: 'string', short: 'o' } as const

/** Kube-scheduler reads YAML 1.1, where a lease called `y` is true. */
const yaml = (content: object): string => stringify(content, { compat: 'yaml-1.1' })

/** Each once, though both entries may give rise to it; what was asked for is printed all the same. */
function doubts(text: string, { bindTimeoutMs, schedulerNames: profiles, lease, scope, extender }: Config): string {
  const schedulerNames = [...profiles.keys()]
  const found = check(text, { bindTimeoutMs, schedulerNames, namedSchedulers: schedulerNames, lease, scope, extender })
  return [...new Set(found.map(({ problem, why, fix }) => `warning: ${problem}: ${why}\n    fix: ${fix}\n`))].join('')
}

function extenderOf({ extender }: Config): string {
  if (extender === undefined) throw new UsageError('--extender URL is missing: where does kube-scheduler reach muster?')
  // kube-scheduler appends the verb to it, so nothing may follow the path.
  if (!URL.canParse(extender) || !/^https?:\/\/[^?#\s]+$/.test(extender)) {
    throw new UsageError(`--extender: ${extender} must be a URL such as http://127.0.0.1:8888`)
  }
  return extender.replace(/\/+$/, '')
}

/** Only the scheme turns TLS on, and without a CA kube-scheduler takes every certificate. */
function tlsOf({ extenderTls: { ca, identity } }: Config, extender: string): object {
  if (!extender.startsWith('https:')) {
    if (ca === undefined && !identity) return {}
    throw new UsageError(`--ca, --client-cert and --client-key are for https, and --extender is ${extender}`)
  }
  if (ca === undefined)
    throw new UsageError(
      '--ca FILE is missing: without the certificates that sign for muster, kube-scheduler cannot know whom it asks'
    )
  return { tlsConfig: { caFile: ca, ...(identity && { certFile: identity.cert, keyFile: identity.key }) } }
}
