import { parseArgs } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../config.ts'
import { type DryRun, dryRun } from '../dry-run.ts'
import { reasonOf, UsageError } from '../errors.ts'
import { parsed } from '../sources.ts'
import { table } from './client.ts'
import { argumentsOf, readText, wantsJson } from './input.ts'

const usage = `Usage: muster plan FILE... [options]

Says what the plan-based scheduler (profile custom-scheduler, one pod to a node) would do in the cluster that the FILEs
describe (- for standard input): which pods would be bound to which nodes, and which would be preempted for them. Nothing
is done. FILEs hold nodes and pods, as kubectl prints them or as you write them, in YAML or JSON; a Deployment, ReplicaSet,
StatefulSet or Job that is not in the cluster yet stands for its pods.

  --scheduler-name NAME[=PROFILE]     as muster serve has it; may be repeated
  --priority-cap NAMESPACE=INTEGER    as muster serve has it; may be repeated
  --config FILE                       the YAML file of muster serve, instead of these
  --output json                       the whole answer

Examples:
  kubectl get nodes,pods -A -o json | muster plan -
  kubectl get nodes,pods -A -o json | muster plan - example-deployments.yaml    # what if I applied this?
`

/** Some 100,000 pods as kubectl prints them. */
const largest = { bytes: 512 * 1024 ** 2, text: '512 MiB' }
const mostShown = 20

export const plan = {
  name: 'plan',
  summary: 'say what would be bound and preempted in a cluster',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { files, options, json } = read(args)
    const config = loadConfig(options, process.env)
    const objects: unknown[] = []
    for (const file of files) for (const each of await objectsIn(file)) objects.push(each)
    const found = dryRun(objects, config, Date.now())
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : `${text(found)}\n`)
  }
}

const served = {
  'scheduler-name': { type: 'string', multiple: true },
  'priority-cap': { type: 'string', multiple: true },
  config: { type: 'string' }
} as const
const own = { output: { type: 'string', short: 'o' } } as const

type Wish = { readonly files: readonly string[]; readonly options: readonly string[]; readonly json: boolean }

function read(args: readonly string[]): Wish {
  const { values, positionals: files } = parsed(() =>
    parseArgs({ args: [...args], options: { ...served, ...own }, allowPositionals: true })
  )
  const { output, ...told } = values
  if (files.length === 0) throw new UsageError('name a file, or - for standard input: muster plan FILE')
  const json = wantsJson(output)
  const options = argumentsOf(told)
  return { files, options, json }
}

async function objectsIn(file: string): Promise<readonly unknown[]> {
  try {
    const documents = documentsOf(await readText(file, largest)).filter(document => document !== null)
    if (!documents.every(isObject)) throw new UsageError('it holds something else than objects of Kubernetes')
    return documents
  } catch (error) {
    throw new UsageError(`${file}: ${reasonOf(error)}`)
  }
}

function documentsOf(content: string): readonly unknown[] {
  // What is large is JSON, which is read much faster.
  if (content.trimStart().startsWith('{')) return [JSON.parse(content)]
  return parseAllDocuments(content, { logLevel: 'silent' }).map(document => {
    const [error] = document.errors
    if (error) throw error
    return document.toJS() as unknown
  })
}

const isObject = (document: unknown): boolean =>
  typeof document === 'object' && document !== null && 'kind' in document && typeof document.kind === 'string'

function text({ preempt, bind, waiting, notReady }: DryRun): string {
  if (preempt.length + bind.length + waiting.length + notReady.length === 0) return 'Nothing is to be done.'
  return [
    ...section(
      ['PREEMPT', 'NODE', 'FOR'],
      preempt.map(each => [each.pod, each.node, each.for])
    ),
    ...section(
      ['BIND', 'NODE'],
      bind.map(each => [each.pod, each.node])
    ),
    ...section(
      ['WAITING', 'PODS', 'REASON'],
      waiting.map(({ name, pods, reason }) => [name, String(pods.length), reason ?? ''])
    ),
    ...section(
      ['NOT READY', 'REASON'],
      notReady.map(each => [each.pod, each.reason])
    )
  ].join('\n\n')
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return []
  const more = rows.length > mostShown ? [`${rows.length - mostShown} more; --output json has them all`] : []
  return [[table([head, ...rows.slice(0, mostShown)]), ...more].join('\n')]
}
