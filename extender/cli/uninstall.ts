import { parseArgs } from 'node:util'
import { nameOf } from '../../policies/text.ts'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config.ts'
import { UsageError } from '../errors.ts'
import { Operations } from '../operations.ts'
import { parsed } from '../sources.ts'
import { argumentsOf, wantsJson } from './input.ts'
import { table } from './client.ts'
import { gatePolicies } from './gate-policies.ts'
import { nextSteps } from './uninstall/next-steps.ts'
import { type Leftover, leftovers, remove } from './uninstall/removal.ts'

const usage = `Usage: muster uninstall [--dry-run | --yes] [options]

Lists what muster has left on pods that wait (its gate muster.dev/gang, the nodes that it nominated) and, with --yes,
takes it away, so that kube-scheduler places those pods one by one. Gangs are then no gangs any more. What is on a node
stays as it is. Says what else is to be removed. It may be run again at any time, and changes nothing where nothing is left.

Remove the admission policy that gates pods and stop muster first: either would put back what this takes away.

  --dry-run                         only lists
  --yes                             does it
  --kubeconfig FILE                 as muster serve has it
  --scheduler-name NAME[=PROFILE]   as muster serve has it; may be repeated
  --config FILE                     the YAML file of muster serve, instead of these
  --output json                     the whole answer

Exits with 0 when nothing is left (or was only to be listed), 1 when something is, 2 when the cluster cannot be asked.

Example:
  muster uninstall --dry-run
`

const mostShown = 20
const served = {
  kubeconfig: { type: 'string' },
  'scheduler-name': { type: 'string', multiple: true },
  config: { type: 'string' }
} as const
const own = {
  'dry-run': { type: 'boolean' },
  yes: { type: 'boolean' },
  output: { type: 'string', short: 'o' }
} as const

type Wish = { readonly does: boolean; readonly json: boolean; readonly options: readonly string[] }

export const uninstall = {
  name: 'uninstall',
  summary: 'take off pods what muster has left on them',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { does, json, options } = read(args)
    const operations = await Operations.open(loadConfig(options, process.env), systemClock)
    try {
      const before = await leftovers(operations)
      const { policies } = await gatePolicies(operations)
      const end = does ? await remove(operations, systemClock) : { left: before.pods, problems: [] }
      const next = nextSteps({ policies, waiting: before.waiting, asks: before.asks })
      const report = { pods: before.pods, left: end.left, problems: end.problems, next }
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : text(report, does))
      if (does && end.left.length > 0) process.exitCode = 1
    } finally {
      await operations.close()
    }
  }
}

function read(args: readonly string[]): Wish {
  const {
    'dry-run': dry = false,
    yes = false,
    output,
    ...told
  } = parsed(() => parseArgs({ args: [...args], options: { ...served, ...own } })).values
  if (dry === yes) throw new UsageError('say one of --dry-run, which only lists, and --yes, which does it')
  const json = wantsJson(output)
  const options = argumentsOf(told)
  return { does: yes, json, options }
}

type Report = {
  readonly pods: readonly Leftover[]
  readonly left: readonly Leftover[]
  readonly problems: readonly string[]
  readonly next: readonly string[]
}

function text({ pods, left, problems, next }: Report, does: boolean): string {
  const steps = next.length === 0 ? [] : ['', 'Still to do:', ...next.map(step => `  - ${step}`)]
  return `${[...headline(pods, left, does), ...problems, ...steps].join('\n')}\n`
}

function headline(pods: readonly Leftover[], left: readonly Leftover[], does: boolean): readonly string[] {
  if (pods.length === 0 && left.length === 0) return ['Nothing of muster is left on pods that wait.']
  if (!does) return [`On ${plural(pods.length)} that wait something of muster is left:`, '', ...rows(pods)]
  if (left.length === 0) return [`Took away what muster had left on ${plural(pods.length)}.`]
  return [
    `On ${plural(left.length)} something is still left, or was put back: does muster run, or a policy gate new pods?`,
    '',
    ...rows(left)
  ]
}

function rows(pods: readonly Leftover[]): readonly string[] {
  const shown = pods
    .slice(0, mostShown)
    .map(pod => [nameOf(pod), pod.schedulerName, pod.gated ? 'yes' : '', pod.nominated ?? ''])
  const more = pods.length > mostShown ? [`${pods.length - mostShown} more; --output json has them all`] : []
  return [table([['POD', 'SCHEDULER', 'GATED', 'NOMINATED'], ...shown]), ...more]
}

const plural = (count: number): string => `${count} ${count === 1 ? 'pod' : 'pods'}`
