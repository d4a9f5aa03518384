import { ApiError } from '../control-plane/client.ts'
import type { Lab } from '../control-plane/lab.ts'
import { nodeObject, type Pod } from '../control-plane/objects.ts'
import type { Dice } from '../control-plane/random.ts'

/** How many pods one node takes. */
export const slots = 4
/** No gang is added beyond so many pods. */
const mostPods = 240
const priorities = ['soak-low', 'soak-middle', 'soak-high'] as const
/** Where the gangs are. */
export const namespaces = ['soak-a', 'soak-b', 'soak-c'] as const

type Move = readonly [weight: number, name: string, go: () => Promise<void>]

/** What users and operators do all day: gangs come and go, members are deleted, nodes come, go and are cordoned. */
export class Churn {
  /** How often each thing was done; `missed`: the API server was not there for it. */
  readonly done: Record<string, number> = {}
  readonly #lab: Lab
  readonly #dice: Dice
  readonly #moves: readonly Move[]
  #gangs = 0
  #nodes = 0

  constructor(lab: Lab, dice: Dice) {
    this.#lab = lab
    this.#dice = dice
    this.#moves = [
      [10, 'a gang comes', () => this.#addGang()],
      [6, 'a gang goes', () => this.#deleteGang()],
      [2, 'a member is deleted', () => this.#deleteMember()],
      [1, 'a node comes', () => this.addNode()],
      [1, 'a node goes', () => this.#deleteNode()],
      [1, 'a node is cordoned', () => this.#cordon(true)],
      [1, 'a node is uncordoned', () => this.#cordon(false)]
    ]
  }

  /** Classes and namespaces, and the first nodes. */
  async prepare(nodes: number): Promise<void> {
    const { client } = this.#lab.cluster
    for (const [index, name] of priorities.entries())
      await client.create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name }, value: 10 * index })
    for (const name of namespaces) await this.#lab.createNamespace(name)
    for (let count = 0; count < nodes; count++) await this.addNode()
  }

  /** One thing happens. */
  async step(): Promise<void> {
    const total = this.#moves.reduce((sum, [weight]) => sum + weight, 0)
    let drawn = this.#dice.next() * total
    const [, name, go] = this.#moves.find(([weight]) => (drawn -= weight) < 0) ?? this.#moves[0]!
    await this.try(name, go)
  }

  /** Does it, unless the API server is away; counts it. */
  async try(name: string, go: () => Promise<void>): Promise<void> {
    const missed = await go().then(
      () => false,
      (error: unknown) => {
        // What is gone already, or is there already after a lost reply, is as good.
        if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return false
        return true
      }
    )
    const key = missed ? 'missed' : name
    this.done[key] = (this.done[key] ?? 0) + 1
  }

  async addNode(): Promise<void> {
    await this.#lab.cluster.client.create('/api/v1/nodes', nodeObject(`node-${this.#nodes++}`, { slots }))
  }

  async #addGang(): Promise<void> {
    const dice = this.#dice
    const size = 1 + Math.floor(dice.next() * dice.next() * 32)
    if (this.#lab.pods.values().length + size > mostPods) return this.#deleteGang()
    const name = `gang-${this.#gangs++}`
    const [namespace, priorityClassName] = [this.#draw(namespaces), this.#draw(priorities)]
    await this.#lab.createGang(namespace, { name, size, gated: dice.next() < 0.7, priorityClassName })
  }

  async #deleteGang(): Promise<void> {
    const pod = this.#drawPod()
    const gang = pod?.metadata.annotations?.['muster.dev/gang']
    if (!pod || gang === undefined) return
    const namespace = pod.metadata.namespace ?? ''
    for (const each of this.#lab.podsIn(namespace, gang)) await this.#lab.deletePod(namespace, each.metadata.name)
  }

  async #deleteMember(): Promise<void> {
    const pod = this.#drawPod()
    if (pod) await this.#lab.deletePod(pod.metadata.namespace ?? '', pod.metadata.name)
  }

  /** With its pods, as the garbage collector of a whole cluster would. */
  async #deleteNode(): Promise<void> {
    const node = this.#draw(this.#lab.nodes.values())
    if (!node || this.#lab.nodes.values().length < 20) return this.addNode()
    const { name } = node.metadata
    await this.#lab.cluster.client.delete(`/api/v1/nodes/${name}`)
    const lost = this.#lab.pods.values().filter(pod => pod.spec.nodeName === name)
    for (const pod of lost) await this.#lab.deletePod(pod.metadata.namespace ?? '', pod.metadata.name)
  }

  async #cordon(unschedulable: boolean): Promise<void> {
    const node = this.#draw(this.#lab.nodes.values())
    if (node) await this.#lab.cluster.client.patch(`/api/v1/nodes/${node.metadata.name}`, { spec: { unschedulable } })
  }

  #drawPod(): Pod | undefined {
    return this.#draw(this.#lab.pods.values())
  }

  #draw<T>(items: readonly T[]): T {
    return items[Math.floor(this.#dice.next() * items.length)] as T
  }
}
