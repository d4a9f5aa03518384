/**
 * From the creation of a gang to its last binding, where every node is taken by a pod of lower priority: by muster,
 * gated and ungated, and by native gangs with WorkloadAwarePreemption (alpha of 1.36), in one run.
 */
import { CommandLine } from '../command-line.ts'
import { buildTools, type Tools } from './build.ts'
import { Lab, type LabOptions } from './lab.ts'
import { isBound, type Pod, podObject } from './objects.ts'
import { type Way, ways } from './ways.ts'

const options = { rounds: { type: 'string' }, size: { type: 'string' }, nodes: { type: 'string' } } as const
const command = new CommandLine(
  'compare:preempt',
  'usage: npm run compare:preempt -- [--rounds 3] [--size 64] [--nodes 1000]\n'
)
const { values } = command.read(options)
const rounds = command.count('rounds', values.rounds, 3)
const size = command.count('size', values.size, 64)
const nodes = command.count('nodes', values.nodes, 1_000)
/** A gang that takes longer is given up, and said to be. */
const patienceMs = 900_000
const { gated, ungated, native } = ways(size, 'high')

const tools = await buildTools()
if (tools.kind === 'absent') {
  console.error(tools.reason)
  process.exitCode = 1
} else {
  console.log(`a gang of ${size} on ${nodes} one-slot nodes, all taken by pods of lower priority\n`)
  await measure(tools, {}, [gated, ungated])
  await measure(tools, { muster: false, nativeGangs: 'preempting' }, [native])
}

async function measure(tools: Tools, options: LabOptions, among: readonly Way[]): Promise<void> {
  const lab = await Lab.open(tools, options)
  try {
    for (const [name, value] of Object.entries({ low: 1, high: 100 }))
      await lab.cluster.client.create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name }, value })
    await lab.start()
    for (const [index, way] of among.entries()) {
      const results: Result[] = []
      for (let round = 0; round < rounds; round++) results.push(await once(lab, way, `round-${round}-${index}`))
      console.log(line(way.name, results))
    }
  } finally {
    await lab.close()
  }
}

/** How it went: milliseconds, who was bound when patience ended, and how many had to go. */
type Result = { readonly ms: number; readonly bound: number; readonly evicted: number }

async function once(lab: Lab, way: Way, namespace: string): Promise<Result> {
  await lab.createNamespace(namespace)
  await lab.createNodes('node', nodes)
  const low = Array.from({ length: nodes }, (_, index) => podObject(`low-${index}`, { priorityClassName: 'low' }))
  await lab.createPods(namespace, low)
  const bound = () => lab.podsIn(namespace).filter(isBound)
  await lab.waitFor('the nodes are taken', () => bound().length === nodes, 120_000)
  const gang = await way.pods(lab, namespace)
  const begun = performance.now()
  await lab.createPods(namespace, gang)
  const members = () => bound().filter(pod => !isLow(pod)).length
  // Whoever cannot do it is told of like the others.
  await lab.waitFor('the gang is bound', () => members() === size, patienceMs).catch(() => undefined)
  const ms = performance.now() - begun
  const result = { ms, bound: members(), evicted: nodes - bound().filter(pod => isLow(pod)).length }
  await lab.clear()
  return result
}

function line(name: string, results: readonly Result[]): string {
  const sorted = results.toSorted((one, other) => one.ms - other.ms)
  const median = sorted[Math.floor(sorted.length / 2)]?.ms ?? 0
  const each = sorted.map(({ ms, bound, evicted }) => `${seconds(ms)}${bound < size ? '!' : ''} (${evicted} evicted)`)
  return `${name.padEnd(28)} median ${seconds(median)} s: ${each.join(', ')}`
}

function isLow({ metadata }: Pod): boolean {
  return metadata.name.startsWith('low-')
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2)
}
