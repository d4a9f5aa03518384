/**
 * The upstream `[sig-scheduling] … [Conformance]` specs, on a cluster whose default scheduler asks muster about every pod.
 * What came of them is kept beside the bench results.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildSpecs, buildTools } from '../control-plane/build.ts'
import type { VerbCall } from '../control-plane/extender-proxy.ts'
import type { Entry } from '../control-plane/history.ts'
import { Lab } from '../control-plane/lab.ts'
import { pinnedVersion } from '../control-plane/kubernetes-module.ts'
import { release } from '../control-plane/release.ts'
import { type Outcome, type Tally, report } from './upstream-report.ts'

const nodes = 5
const defaultScheduler = 'default-scheduler'
const flags = [
  '--provider=skeleton',
  `--num-nodes=${nodes}`,
  '--allowed-not-ready-nodes=0',
  String.raw`--ginkgo.focus=\[sig-scheduling\].*\[Conformance\]`
]
const results = join(import.meta.dirname, '..', 'bench', 'results')

/** Runs them and writes the report; answers why not, or how many did not pass. */
export async function runUpstream(say: (line: string) => void): Promise<number | string> {
  const tools = await buildTools()
  if (tools.kind === 'absent') return tools.reason
  const specs = await buildSpecs()
  if (typeof specs !== 'string') return specs.reason
  const lab = await Lab.open(tools, { controllerManager: true, sharedArgs: ['--scheduler-name', defaultScheduler] })
  try {
    await lab.createNodes('node', nodes, { slots: 110 })
    await lab.start()
    const outcomes = await run(specs, lab)
    const date = new Date().toISOString().slice(0, 10)
    const text = report({
      ...{ date, release, versions: versions(), flags, outcomes },
      tally: tallyOf(lab.verbs.calls, lab.history.entries)
    })
    const file = join(results, `upstream-${release}.md`)
    await writeFile(file, text)
    say(`\n${text}\nkept in test/bench/results/upstream-${release}.md`)
    return outcomes.length === 0 ? 'no spec was run' : outcomes.filter(({ state }) => state !== 'passed').length
  } finally {
    await lab.close()
  }
}

function versions(): Readonly<Record<string, string>> {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as {
    readonly version: string
  }
  return {
    muster: version,
    etcd: pinnedVersion('go.etcd.io/etcd/server/v3'),
    kwok: pinnedVersion('sigs.k8s.io/kwok')
  }
}

async function run(specs: string, lab: Lab): Promise<readonly Outcome[]> {
  const kubeconfig = await lab.cluster.kubeconfig('admin')
  const file = join(lab.cluster.site.dir, 'specs.json')
  const output = ['--ginkgo.v', '--ginkgo.no-color', `--ginkgo.json-report=${file}`]
  const child = spawn(specs, ['--kubeconfig', kubeconfig, ...flags, ...output], { stdio: 'inherit' })
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  return outcomesIn(await readFile(file, 'utf8'))
}

interface SpecReport {
  readonly LeafNodeType: string
  readonly LeafNodeText: string
  readonly ContainerHierarchyTexts: readonly string[] | null
  readonly State: string
  /** Nanoseconds. */
  readonly RunTime: number
}

/** What Ginkgo's report says of the specs that it ran. */
function outcomesIn(json: string): readonly Outcome[] {
  const [suite] = JSON.parse(json) as { readonly SpecReports: readonly SpecReport[] }[]
  return (suite?.SpecReports ?? [])
    .filter(({ LeafNodeType, State }) => LeafNodeType === 'It' && State !== 'skipped' && State !== 'pending')
    .map(({ ContainerHierarchyTexts, LeafNodeText, State, RunTime }) => ({
      name: [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(' '),
      state: State,
      seconds: RunTime / 1e9
    }))
}

/** Whom kube-scheduler asked, and of the pods that got a node after they were made how many muster did not bind. */
function tallyOf(calls: readonly VerbCall[], entries: readonly Entry[]): Tally {
  const verbs = Object.groupBy(calls, ({ verb }) => verb)
  const done = calls.filter(({ verb, status, answer }) => verb === 'bind' && status === 200 && isDone(answer))
  const byMuster = new Set(done.map(({ uid }) => uid))
  const waited = new Set(entries.filter(({ node }) => node === '').map(({ uid }) => uid))
  const bound = new Set(entries.filter(({ node, uid }) => node !== '' && waited.has(uid)).map(({ uid }) => uid))
  return {
    calls: Object.fromEntries(Object.entries(verbs).map(([verb, all = []]) => [verb, all.length])),
    failed: calls.filter(({ status }) => status !== 200).length,
    bound: bound.size,
    passedBy: [...bound].filter(uid => !byMuster.has(uid)).length
  }
}

/** Whether an answer to bind tells of no error. */
const isDone = (answer: string): boolean => (JSON.parse(answer) as { readonly Error?: string }).Error === ''
