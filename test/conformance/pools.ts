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
import { summary } from '../control-plane/summary.ts'
import { nothingIsHeld, scenario, type ScenarioOptions } from './scenario.ts'

/** How long nothing may happen to those that wait. */
const window = 10_000
/** `TEST_CASE` may also name cases of a file that run side by side. */
const only = process.env['TEST_CASE'] ?? ''

/** A node with room for 100 pods unless it says otherwise. */
interface PoolNode extends NodeOptions {
  /** Extended resources. */
  readonly resources?: Readonly<Record<string, string>>
}

/** A case that runs beside others: on nodes and in a namespace of its own, with which the others have nothing to do. */
export interface Case {
  readonly name: string
  readonly nodes: readonly PoolNode[]
  /** Makes what the case is about; the schedulers may or may not be running. */
  create(pool: Pool): Promise<void>
  /** Waits for what is to happen. */
  settle?(pool: Pool): Promise<void>
  /** Gangs that are in this state, and have got nothing, when all that is to happen has happened and 10 s later. */
  waits?(pool: Pool): Readonly<Record<string, string>>
  /** What comes after those 10 s. */
  finish?(pool: Pool, t: Test): Promise<unknown>
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
  async open(nodes: readonly PoolNode[]): Promise<void> {
    const { client } = this.lab.cluster
    await this.lab.createNamespace(this.namespace)
    for (const [index, node] of nodes.entries()) {
      const labels = { ...node.labels, pool: this.namespace }
      const name = this.node(index)
      await client.create('/api/v1/nodes', nodeObject(name, { slots: 100, ...node, labels }))
      const { resources } = node
      const status = { allocatable: resources, capacity: resources }
      if (resources) await client.patch(`/api/v1/nodes/${name}/status`, { status })
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

  /** The nodes of the pods named `NAME-…` that have one. */
  nodesOf(name: string): readonly string[] {
    return this.pods(name).flatMap(pod => pod.spec.nodeName ?? [])
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

  /** The state of the pool's pods, and what muster says of its gangs. */
  async describe(): Promise<string> {
    const views = (await gangs(this.lab.muster).catch(() => [])).filter(each => each.namespace === this.namespace)
    const lines = views.map(({ name, state, reason, plan, members }) =>
      JSON.stringify({ name, state, reason, plan, members })
    )
    return [summary(this.lab.podsIn(this.namespace)), ...lines].join('\n')
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
async function explain(
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
  const chosen = name.includes(only) ? cases : cases.filter(each => each.name.includes(only))
  if (chosen.length === 0) return
  scenario(t, lab, [chosen === cases ? name : `${name}: ${only}`, options], async (t, ns) => {
    const pools = chosen.map((each, index) => ({ each, pool: new Pool(lab, `${ns}-${index}`, running) }))
    for (const { each, pool } of pools) await pool.open(each.nodes)
    // Its probe shows that kube-scheduler knows the others too.
    if (running) await lab.createNodes(`${ns}-last`, 1)
    const failures = new Map<Case, unknown>()
    const attempt = async (each: Case, pool: Pool, task: Promise<unknown> | undefined): Promise<void> => {
      await task?.catch(async (cause: unknown) => {
        failures.set(each, new Error(`${await pool.describe()}\n${String(cause)}`, { cause }))
      })
    }
    await forEach(pools, 8, ({ each, pool }) => attempt(each, pool, each.create(pool)))
    if (!running) await lab.start()
    const created = pools.filter(({ each }) => !failures.has(each))
    const waiting = created.flatMap(({ each, pool }) =>
      Object.entries(each.waits?.(pool) ?? {}).map(([gang, state]) => ({ each, pool, gang, state }))
    )
    const settled = created.map(({ each, pool }) => attempt(each, pool, each.settle?.(pool)))
    await Promise.all(settled)
    await Promise.all(waiting.map(({ each, pool, gang, state }) => attempt(each, pool, pool.reaches(gang, state))))
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
