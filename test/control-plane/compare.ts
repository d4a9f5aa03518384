/** A gang of 64 on 64 one-slot nodes: gated and ungated by muster, native gang, and no gang at all, in one run. */
import { parseArgs } from 'node:util'
import { buildTools, type Tools } from './build.ts'
import { Lab, type LabOptions } from './lab.ts'
import { isBound } from './objects.ts'
import { type Way, ways } from './ways.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string' }, size: { type: 'string' } } })
const rounds = Number(values.rounds ?? 5)
const size = Number(values.size ?? 64)

const { gated, ungated, native, loose } = ways(size)

const tools = await buildTools()
if (tools.kind === 'absent') {
  console.error(tools.reason)
  process.exitCode = 1
} else {
  await measure(tools, {}, [gated, ungated])
  await measure(tools, { muster: false, nativeGangs: true }, [native, loose])
}

async function measure(tools: Tools, options: LabOptions, ways: readonly Way[]): Promise<void> {
  const lab = await Lab.open(tools, options)
  try {
    await lab.start()
    const times = new Map<string, number[]>(ways.map(way => [way.name, []]))
    for (let round = 0; round < rounds; round++)
      for (const [index, way] of ways.entries())
        times.get(way.name)?.push(await once(lab, way, `round-${round}-${index}`))
    for (const [name, all] of times) console.log(line(name, all))
  } finally {
    await lab.close()
  }
}

/** Milliseconds from the first pod's creation until the last one's Binding was seen. */
async function once(lab: Lab, way: Way, namespace: string): Promise<number> {
  await lab.createNamespace(namespace)
  await lab.createNodes('node', size)
  const pods = await way.pods(lab, namespace)
  const begun = performance.now()
  await lab.createPods(namespace, pods)
  await lab.waitFor('all are bound', () => lab.podsIn(namespace).filter(isBound).length === size)
  const time = performance.now() - begun
  await lab.clear()
  return time
}

function line(name: string, times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other).map(time => Math.round(time))
  const median = sorted[Math.floor(sorted.length / 2)]
  return `${name.padEnd(28)} median ${median} ms (${sorted.join(', ')})`
}
