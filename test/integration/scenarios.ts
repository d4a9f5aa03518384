import { setTimeout as sleep } from 'node:timers/promises'
import type { V1Pod } from '@kubernetes/client-node'
import type { Ground } from './ground.ts'

type Say = (line: string) => void
type Scenario = (ground: Ground, say: Say) => Promise<void>

const patienceMs = 60_000
/** What must not happen is watched for so long. */
const quietMs = 5_000

/** A pod of its own, then it is cleared away. */
const basic: Scenario = (ground, say) =>
  within(ground, async stage => {
    await stage.create('basic', {})
    await stage.scheduled(['basic'])
    say(`the pod runs on ${await stage.nodeOf('basic')}`)
  })

/** Every node is taken by a pod of low priority; one of higher priority takes the place of one of them. */
const priority: Scenario = (ground, say) =>
  within(ground, async stage => {
    const low = Array.from({ length: ground.nodes }, (_, index) => `low-${index}`)
    for (const name of low) await stage.create(name, { priority: '10' })
    await stage.scheduled(low)
    say(`${low.length} pods of priority 10 run, one on each node`)
    await stage.create('high', { priority: '100' })
    await stage.scheduled(['high'])
    const left = (await stage.pods()).filter(pod => pod.metadata?.deletionTimestamp === undefined)
    expect(left.length === ground.nodes, `${ground.nodes} pods are left, and not ${left.length}`)
    say(`the pod of priority 100 runs on ${await stage.nodeOf('high')}; one of the others was evicted for it`)
  })

const members = (size: number) => Array.from({ length: size }, (_, index) => `member-${index}`)

/** A gang as large as the cluster is scheduled; one that is larger by one is not, not even in part. */
const group: Scenario = async (ground, say) => {
  await within(ground, async stage => {
    for (const name of members(ground.nodes)) await stage.create(name, { 'pod-group': 'fits' })
    await stage.scheduled(members(ground.nodes))
    say(`A: a gang of ${ground.nodes} is scheduled`)
  })
  await within(ground, async stage => {
    const size = ground.nodes + 1
    for (const name of members(size))
      await stage.create(name, { 'muster.dev/gang': 'too-large', 'muster.dev/min-member': String(size) })
    await sleep(quietMs)
    const placed = (await stage.pods()).filter(pod => pod.spec?.nodeName !== undefined)
    expect(placed.length === 0, `no member of a gang of ${size} is placed, and not ${placed.length}`)
    say(`B: a gang of ${size} is not scheduled, not even in part`)
  })
}

/** By the names that `make` gives them. */
export const scenarios: Readonly<Record<string, Scenario>> = { basic, priority, group }

/** Pods of one namespace, which goes with them. */
class Stage {
  readonly #ground: Ground
  readonly #namespace: string

  constructor(ground: Ground, namespace: string) {
    this.#ground = ground
    this.#namespace = namespace
  }

  async create(name: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    const resources = { requests: { cpu: '10m', memory: '16Mi' } }
    await this.#ground.api.createNamespacedPod({
      namespace: this.#namespace,
      body: {
        metadata: { name, annotations: { ...annotations } },
        spec: {
          schedulerName: 'custom-scheduler',
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: 'registry.k8s.io/pause:3.10', resources }]
        }
      }
    })
  }

  async pods(): Promise<readonly V1Pod[]> {
    return (await this.#ground.api.listNamespacedPod({ namespace: this.#namespace })).items
  }

  async nodeOf(name: string): Promise<string | undefined> {
    return (await this.pods()).find(pod => pod.metadata?.name === name)?.spec?.nodeName
  }

  /** Waits until they all have nodes. */
  async scheduled(names: readonly string[]): Promise<void> {
    const deadline = performance.now() + patienceMs
    for (;;) {
      const placed = new Set((await this.pods()).filter(pod => pod.spec?.nodeName).map(pod => pod.metadata?.name))
      const missing = names.filter(name => !placed.has(name))
      if (missing.length === 0) return
      expect(performance.now() < deadline, `${missing.join(', ')} has a node within ${patienceMs / 1000} s`)
      await sleep(200)
    }
  }
}

async function within(ground: Ground, play: (stage: Stage) => Promise<void>): Promise<void> {
  const { api } = ground
  const { metadata } = await api.createNamespace({ body: { metadata: { generateName: 'muster-integration-' } } })
  const namespace = metadata?.name ?? ''
  try {
    await play(new Stage(ground, namespace))
  } finally {
    await api.deleteNamespace({ name: namespace })
    await gone(ground, namespace)
  }
}

/** Everything is torn down before the next one begins. */
async function gone({ api }: Ground, namespace: string): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    const { items } = await api.listNamespacedPod({ namespace })
    if (items.length === 0) return
    await sleep(200)
  }
  throw new Error(`the pods of namespace ${namespace} do not go`)
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`it is not so that ${what}`)
}
