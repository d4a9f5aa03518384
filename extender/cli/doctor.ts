import { parseArgs } from 'node:util'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config.ts'
import { UsageError } from '../errors.ts'
import { Operations } from '../operations.ts'
import { parsed } from '../sources.ts'
import { argumentsOf, wantsJson } from './input.ts'
import { urlOf } from './client.ts'
import { examine } from './doctor/examine.ts'
import { Ground, type Wish } from './doctor/ground.ts'
import { type Place, placeIn } from './doctor/place.ts'
import { print } from './doctor/print.ts'

const usage = `Usage: muster doctor [FILE] [options]

Looks at a cluster and says what keeps gangs from starting there: kube-scheduler's configuration, versions, rights,
muster's readiness, the lease, gates, certificates, pods that wait. Each finding names what is wrong, where, and the fix.
Changes nothing. Exits with 0 when there are no errors, 1 when there are, 2 when the cluster cannot be asked or FILE cannot be read.

  FILE                              kube-scheduler's configuration (default: the installed ConfigMap)
  --configmap NAMESPACE/NAME        where that is (default muster-system/muster-scheduler, else what is mounted there)
  --kubeconfig FILE                 kubeconfig of the cluster (default: KUBECONFIG, ~/.kube/config, or the service account)
  --server URL                      the API of a running muster, to ask whether it is ready (default MUSTER_SERVER)
  --service-account NAMESPACE/NAME  whose rights are asked for (default: those of whoever runs this)
  --lease NAMESPACE/NAME            as muster serve has it (default: as it is installed)
  --bind-timeout DURATION           as muster serve has it (default: as it is installed, else 30s)
  --scheduler-name NAME[=PROFILE]   as muster serve has it; may be repeated
  --extender URL                    as muster scheduler-config has it; also --ca, --client-cert, --client-key
  --tls-cert FILE                   as muster serve has it; also --tls-key, --tls-client-ca, --tls-client-name
  --config FILE                     the YAML file of muster serve, instead of these
  --strict                          warnings count as errors
  --output json                     everything as JSON

Examples:
  muster doctor --server http://127.0.0.1:8889 --service-account muster-system/muster
  muster doctor /etc/kubernetes/scheduler-config.yaml --bind-timeout 30s
`

const served = {
  kubeconfig: { type: 'string' },
  'bind-timeout': { type: 'string' },
  'scheduler-name': { type: 'string', multiple: true },
  extender: { type: 'string' },
  ca: { type: 'string' },
  'client-cert': { type: 'string' },
  'client-key': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-client-ca': { type: 'string' },
  'tls-client-name': { type: 'string', multiple: true },
  config: { type: 'string' }
} as const
const own = {
  configmap: { type: 'string', default: 'muster-system/muster-scheduler' },
  server: { type: 'string' },
  'service-account': { type: 'string' },
  lease: { type: 'string' },
  strict: { type: 'boolean', default: false },
  output: { type: 'string', short: 'o' }
} as const

export const doctor = {
  name: 'doctor',
  summary: 'say what keeps gangs from starting in a cluster',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { wish, options, strict, json } = told(args)
    // What the user says comes last, and the last one counts.
    const configOf = (installed: readonly string[]): ReturnType<typeof loadConfig> =>
      loadConfig([...installed, ...options], process.env)
    const operations = await Operations.open(configOf([]), systemClock)
    try {
      const ground = new Ground({ operations, configOf, wish, now: systemClock.wall() })
      // A file that was named and cannot be read is a mistake of whoever named it, and no finding about the cluster.
      if (wish.file !== undefined) await ground.scheduler()
      const diagnosis = await examine(ground)
      process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : print(diagnosis))
      if (diagnosis.errors > 0 || (strict && diagnosis.warnings > 0)) process.exitCode = 1
    } finally {
      await operations.close()
    }
  }
}

type Told = {
  readonly wish: Wish
  readonly options: readonly string[]
  readonly strict: boolean
  readonly json: boolean
}

/** What the command line says; throws UsageError for what it may not. */
export function told(args: readonly string[]): Told {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...args], options: { ...served, ...own }, allowPositionals: true })
  )
  const { configmap, server = process.env.MUSTER_SERVER, lease, strict, output, ...rest } = values
  const { 'service-account': account, ...others } = rest
  const [file, ...more] = positionals
  if (more.length > 0) throw new UsageError(`one file is enough: ${positionals.join(' ')}`)
  const json = wantsJson(output)
  const options = argumentsOf(others)
  const wish = {
    file,
    configMap: place('--configmap', configmap),
    server: server === undefined ? undefined : urlOf(server),
    lease: lease === undefined ? undefined : place('--lease', lease),
    account: account === undefined ? undefined : place('--service-account', account)
  }
  return { wish, options, strict, json }
}

function place(option: string, said: string): Place {
  const found = placeIn(said)
  if (!found) throw new UsageError(`${option}: ${said} must be NAMESPACE/NAME, such as muster-system/muster`)
  return found
}
