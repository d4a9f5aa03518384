/** From the creation of a gang to its last binding, where every node is taken by pods of lower priority; in one run. */
import { parseArgs } from 'node:util'
import { buildTools, type Tools } from './build.ts'
import { Lab } from './lab.ts'
import { isBound, type NamedPod, podObject } from './objects.ts'
import { type Way, ways } from './ways.ts'

const options = { rounds: { type: 'string' }, size: { type: 'string' }, nodes: { type: 'string' } } as const
const { values } = parseArgs({ options })
const rounds = Number(values.rounds ?? 3)
const size = Number(values.size ?? 64)
const nodes = Number(values.nodes ?? 1_000)
const { gated, ungated } = ways(size)

const tools = await buildTools()
if (tools.kind === 'absent') {
  console.error(tools.reason)
  process.exitCode = 1
} else {
  await measure(tools, [gated, ungated])
}

async function measure(tools: Tools, among: readonly Way[]): Promise<void> {
  const lab = await Lab.open(tools)
  try {
    for (const [name, value] of Object.entries({ low: 1, high: 100 }))
      await lab.cluster.client.create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name }, value })
    await lab.start()
    for (const [index, way] of among.entries()) {
      const times: number[] = []
      for (let round = 0; round < rounds; round++) times.push(await once(lab, way, `round-${round}-${index}`))
      console.log(`${way.name.padEnd(28)} ${times.map(time => (time / 1000).toFixed(2)).join(', ')} s`)
    }
  } finally {
    await lab.close()
  }
}

async function once(lab: Lab, way: Way, namespace: string): Promise<number> {
  await lab.createNamespace(namespace)
  await lab.createNodes('node', nodes)
  const low = Array.from({ length: nodes }, (_, index) => podObject(`low-${index}`, { priorityClassName: 'low' }))
  await lab.createPods(namespace, low)
  const bound = () => lab.podsIn(namespace).filter(isBound)
  await lab.waitFor('the nodes are taken', () => bound().length === nodes, 120_000)
  const gang = (await way.pods(lab, namespace)).map(urgent)
  const begun = performance.now()
  await lab.createPods(namespace, gang)
  const members = () => bound().filter(pod => !pod.metadata.name.startsWith('low-')).length
  await lab
    .waitFor('the gang is bound', () => members() === size, 120_000)
    .catch((error: unknown) => {
      console.log(`${way.name}: ${members()} of ${size} are bound after 120 s`)
      if (members() === 0) return
      throw error
    })
  const time = performance.now() - begun
  await lab.clear()
  return time
}

function urgent(pod: NamedPod): NamedPod {
  return { ...pod, spec: { ...(pod['spec'] as object), priorityClassName: 'high' } }
}
