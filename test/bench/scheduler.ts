/** How fast gangs and single pods get their nodes on a real control plane: stock, native gangs and muster by turns. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildTools, type Tools } from '../control-plane/build.ts'
import { svgOf } from './scheduler/chart.ts'
import { type Contestant, contestants } from './scheduler/contestants.ts'
import { Course } from './scheduler/course.ts'
import type { Figures } from './scheduler/figures.ts'
import { loadOf, titleOf } from './scheduler/loads.ts'
import { markdownOf } from './scheduler/markdown.ts'
import { blocksOf, type Cell, type Conditions, type Result } from './scheduler/result.ts'
import { type Settings, settingsOf, usage } from './scheduler/settings.ts'
import { chartsOf } from './scheduler/throughput.ts'

const run = promisify(execFile)
const results = join(import.meta.dirname, 'results')

/** The lines of the report. */
export async function schedulers(args: readonly string[]): Promise<readonly string[]> {
  if (args.includes('--help')) return [usage]
  const settings = settingsOf(args)
  const tools = await buildTools()
  if (tools.kind === 'absent') return [`not measured: ${tools.reason}`]
  const begun = await conditions(tools, args)
  let result: Result = { conditions: begun, cells: [] }
  for await (const cells of blocks(tools, settings)) {
    const { nodes, load } = cells[0]!
    const others = result.cells.filter(cell => cell.nodes !== nodes || cell.load.size !== load.size)
    result = { conditions: { ...begun, load: [...begun.load, loadavg()[0]!] }, cells: [...others, ...cells] }
    // After every round: whoever ends a long run early keeps what it found out.
    if (settings.keep !== undefined) await keep(result, settings.keep)
  }
  return [markdownOf(result, settings.keep ?? 'Schedulers')]
}

/** After each round the cells of that number of nodes and that load, so far. */
async function* blocks(tools: Tools, settings: Settings): AsyncGenerator<readonly Cell[]> {
  for (const nodes of settings.nodes) {
    const course = await Course.open(tools, { ...settings, nodes })
    try {
      for (const size of settings.sizes) yield* rounds(course, { settings, nodes, size })
    } finally {
      await course.close()
    }
  }
}

type Matter = { readonly settings: Settings; readonly nodes: number; readonly size: number }

/** Every other round goes backwards, so that nobody always comes after the same one. */
async function* rounds(course: Course, { settings, nodes, size }: Matter): AsyncGenerator<readonly Cell[]> {
  const load = loadOf(size, settings.pods)
  const who = contestants.filter(one => one.takes(size) && settings.contestants.includes(one.name))
  const figures = new Map<Contestant, Figures[]>(who.map(one => [one, []]))
  for (let round = 0; round < settings.rounds; round++) {
    for (const one of round % 2 === 0 ? who : who.toReversed()) {
      const found = await course.run(one, load)
      figures.get(one)?.push(found)
      const place = `${nodes} nodes, ${titleOf(load)}, round ${round + 1}`
      process.stderr.write(
        `${place}: ${one.title} ${found.podsPerSecond.toFixed(0)} pods/s, load ${loadavg()[0]?.toFixed(0)}\n`
      )
    }
    yield who.map(one => ({ nodes, load, contestant: one.name, title: one.title, rounds: figures.get(one) ?? [] }))
  }
}

async function conditions(tools: Tools, args: readonly string[]): Promise<Conditions> {
  const versionOf = async (program: 'kube-scheduler' | 'etcd'): Promise<string> =>
    /v?(\d+\.\d+\.\d+\S*)/.exec((await run(tools.path(program), ['--version'])).stdout)?.[1] ?? 'unknown'
  const { stdout: commit } = await run('git', ['describe', '--always', '--dirty'])
  return {
    date: new Date().toISOString().slice(0, 10),
    command: ['npm run bench -- scheduler', ...args].join(' '),
    commit: commit.trim(),
    versions: {
      Kubernetes: await versionOf('kube-scheduler'),
      etcd: await versionOf('etcd'),
      Node: process.version.slice(1)
    },
    machine: `${cpus().length} cores of ${cpus()[0]?.model ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    load: [loadavg()[0]!]
  }
}

async function keep(result: Result, name: string): Promise<void> {
  await mkdir(results, { recursive: true })
  await writeFile(join(results, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
  await writeFile(join(results, `${name}.md`), markdownOf(result, name))
  const charts = chartsOf(blocksOf(result))
  for (const [size, chart] of charts)
    await writeFile(join(results, `${name}${charts.size === 1 ? '' : `-${size}`}.svg`), svgOf(chart))
}
