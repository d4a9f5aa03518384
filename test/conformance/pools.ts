import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { forEach } from '../control-plane/client.ts'
import type { Lab } from '../control-plane/lab.ts'
import { gangs } from '../control-plane/muster.ts'
import {
  gangObjects,
  type GangOptions,
  isBound,
  isNominated,
  type NamedPod,
  nodeObject,
  type NodeOptions,
  type Pod,
  podObject,
  type PodOptions
} from '../control-plane/objects.ts'
import { fetchText } from '../control-plane/probe.ts'
import { nothingIsHeld, scenario, type ScenarioOptions } from './scenario.ts'

/** How long nothing may happen to those that wait. */
const window = 10_000

/** A case that runs beside others: on nodes and in a namespace of its own, with which the others have nothing to do. */
export interface Case {
  readonly name: string
  readonly nodes: readonly NodeOptions[]
  /** Makes what the case is about; the schedulers may or may not be running. */
  create(pool: Pool): Promise<void>
  /** Waits for what is to happen. */
  settle?(pool: Pool): Promise<void>
  /** Gangs that are in this state, and have got nothing, when all that is to happen has happened and 10 s later. */
  waits?(pool: Pool): Readonly<Record<string, string>>
  /** What comes after those 10 s. */
  finish?(pool: Pool, t: Test): Promise<void>
}

/** A case's own part of the cluster. */
export class Pool {
  readonly lab: Lab
  readonly namespace: string
  /** Whether the schedulers were running when the case began. */
  readonly running: boolean

  constructor(lab: Lab, namespace: string, running: boolean) {
    this.lab = lab
    this.namespace = namespace
    this.running = running
  }

  /** Makes the pool's nodes, `NAMESPACE-0` and on. */
  async open(nodes: readonly NodeOptions[]): Promise<void> {
    await this.lab.createNamespace(this.namespace)
    for (const [index, node] of nodes.entries()) {
      const labels = { ...node.labels, pool: this.namespace }
      const object = nodeObject(this.node(index), { slots: 100, ...node, labels })
      await this.lab.cluster.client.create('/api/v1/nodes', object)
    }
  }

  node(index: number): string {
    return `${this.namespace}-${index}`
  }

  /** The pods of a gang of this pool. */
  gang(options: GangOptions): readonly NamedPod[] {
    return gangObjects({ cpu: '1m', ...options, nodeSelector: { pool: this.namespace, ...options.nodeSelector } })
  }

  pod(name: string, options: PodOptions = {}): NamedPod {
    return podObject(name, { cpu: '1m', ...options, nodeSelector: { pool: this.namespace, ...options.nodeSelector } })
  }

  /** Creates pods one after the other. */
  async create(...pods: readonly NamedPod[]): Promise<void> {
    await this.lab.createPods(this.namespace, pods, 1)
  }

  /** The pods named `NAME-…`. */
  pods(name: string): readonly Pod[] {
    return this.lab.podsIn(this.namespace).filter(pod => pod.metadata.name.startsWith(`${name}-`))
  }

  bound(name: string): number {
    return this.pods(name).filter(isBound).length
  }

  /** Waits until so many of the pods named `NAME-…` are bound, and no more of them are nominated. */
  async binds(name: string, count: number, timeout = 30_000): Promise<void> {
    await this.lab.waitFor(
      `${count} of ${this.namespace}/${name} are bound`,
      () => this.bound(name) === count && !this.pods(name).some(isNominated),
      timeout
    )
  }

  /** What `GET /gangs` says of a gang. */
  async view(gang: string): Promise<Awaited<ReturnType<typeof gangs>>[number] | undefined> {
    return (await gangs(this.lab.muster)).find(each => each.namespace === this.namespace && each.name === gang)
  }

  /** Waits until muster says that a gang is in this state. */
  async reaches(gang: string, state: string): Promise<void> {
    await this.lab.until(`${this.namespace}/${gang} is ${state}`, async () => (await this.view(gang))?.state === state)
  }

  /** Checks that none of the pods named `NAME-…` ever had a node, none has a nomination, and each is told why. */
  async nothing(t: Test, name: string): Promise<void> {
    const pods = this.pods(name)
    const late = this.lab.history.entries.filter(
      ({ pod, node, bound }) => pod.startsWith(`${this.namespace}/${name}-`) && node !== '' && bound
    )
    t.strictSame([...new Set(late.map(({ pod }) => pod))], [], `no member of ${name} ever had a node`)
    t.strictSame(pods.filter(isNominated), [], `no member of ${name} is nominated`)
    const waiting = pods.find(pod => pod.status.phase === 'Pending')
    const { reason, text } = await explain(this.lab, this.namespace, waiting?.metadata.name ?? '')
    t.ok(reason, `${name} is told why it waits`)
    t.comment(text)
  }
}

/** What `GET /explain` says of a pod. */
export async function explain(
  lab: Lab,
  namespace: string,
  pod: string
): Promise<{ readonly reason: string | null; readonly text: string }> {
  const { status, text } = await fetchText(`${lab.muster.apiUrl}/explain/${pod}?namespace=${namespace}`)
  if (status !== 200) return { reason: null, text }
  const { explanation, gang } = JSON.parse(text) as { explanation: string; gang: { reason: string | null } | null }
  return { reason: gang?.reason ?? null, text: explanation }
}

/** The members of several gangs in turn. */
export function interleaved(...lists: readonly (readonly NamedPod[])[]): readonly NamedPod[] {
  const longest = Math.max(...lists.map(list => list.length))
  return Array.from({ length: longest }, (_, index) => lists.flatMap(list => list[index] ?? [])).flat()
}

/**
 * Runs the cases side by side: each is set up and waits for what is to happen; then all are watched for 10 s together;
 * then each is checked, and goes on by itself.
 */
export function sideBySide(
  t: Test,
  lab: Lab,
  [name, options]: readonly [string, ScenarioOptions],
  cases: readonly Case[]
): void {
  const running = options.started ?? true
  scenario(t, lab, [name, options], async (t, ns) => {
    const pools = cases.map((each, index) => ({ each, pool: new Pool(lab, `${ns}-${index}`, running) }))
    for (const { each, pool } of pools) await pool.open(each.nodes)
    // Its probe shows that kube-scheduler knows the others too.
    if (running) await lab.createNodes(`${ns}-last`, 1)
    const failures = new Map<Case, unknown>()
    const attempt = async (each: Case, task: Promise<unknown> | undefined): Promise<void> => {
      await task?.catch((error: unknown) => failures.set(each, error))
    }
    await forEach(pools, 8, ({ each, pool }) => attempt(each, each.create(pool)))
    if (!running) await lab.start()
    await Promise.all(pools.map(({ each, pool }) => attempt(each, each.settle?.(pool))))
    const waiting = pools.flatMap(({ each, pool }) =>
      Object.entries(each.waits?.(pool) ?? {}).map(([gang, state]) => ({ each, pool, gang, state }))
    )
    await Promise.all(waiting.map(({ each, pool, gang, state }) => attempt(each, pool.reaches(gang, state))))
    await sleep(window)
    t.jobs = pools.length
    const ends = pools.map(({ each, pool }) =>
      t.test(each.name, async t => {
        if (failures.has(each)) throw failures.get(each)
        for (const { gang } of waiting.filter(one => one.each === each)) await pool.nothing(t, gang)
        await each.finish?.(pool, t)
        t.pass('done')
      })
    )
    await Promise.all(ends)
    await nothingIsHeld(lab)
  })
}
