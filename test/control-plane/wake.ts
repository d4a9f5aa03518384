/** From freed room to the last binding of a waiting gang of 4: by muster, gated and ungated, and native, in one run. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandLine } from '../command-line.ts'
import { buildTools, type Tools } from './build.ts'
import { Lab, type LabOptions } from './lab.ts'
import { isBound, podObject } from './objects.ts'
import { type Way, ways } from './ways.ts'

const command = new CommandLine('compare:wake', 'usage: npm run compare:wake -- [--tries 50]\n')
const tries = command.count('tries', command.read({ tries: { type: 'string' } }).values.tries, 50)
const size = 4
const { gated, ungated, native } = ways(size)

const tools = await buildTools()
if (tools.kind === 'absent') {
  console.error(tools.reason)
  process.exitCode = 1
} else {
  await measure(tools, {}, [gated, ungated])
  await measure(tools, { muster: false, nativeGangs: true }, [native])
}

async function measure(tools: Tools, options: LabOptions, among: readonly Way[]): Promise<void> {
  const lab = await Lab.open(tools, options)
  try {
    await lab.start()
    const times = new Map<string, number[]>(among.map(way => [way.name, []]))
    for (let at = 0; at < tries; at++)
      for (const [index, way] of among.entries()) times.get(way.name)?.push(await once(lab, way, `try-${at}-${index}`))
    for (const [name, all] of times) console.log(line(name, all))
  } finally {
    await lab.close()
  }
}

/** Milliseconds from the deletion of the pods in the way until the gang's last Binding was seen. */
async function once(lab: Lab, way: Way, namespace: string): Promise<number> {
  await lab.createNamespace(namespace)
  await lab.createNodes('node', size)
  await lab.createPods(
    namespace,
    Array.from({ length: size }, (_, index) => podObject(`blocker-${index}`))
  )
  const inTheWay = (): boolean => lab.podsIn(namespace).filter(isBound).length === size
  await lab.waitFor('the nodes are taken', inTheWay)
  await lab.createPods(namespace, await way.pods(lab, namespace))
  // Long enough for every member to have been refused and to rest.
  await sleep(1_500)
  const begun = performance.now()
  for (let index = 0; index < size; index++) await lab.deletePod(namespace, `blocker-${index}`)
  const gang = (): boolean => {
    const members = lab.podsIn(namespace).filter(pod => !pod.metadata.name.startsWith('blocker'))
    return members.filter(isBound).length === size
  }
  await lab.waitFor('the gang is bound', gang, 60_000)
  const time = performance.now() - begun
  await lab.clear()
  return time
}

function line(name: string, times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other).map(time => Math.round(time))
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return `${name.padEnd(28)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms over ${sorted.length} (${sorted[0]} to ${sorted.at(-1)})`
}
