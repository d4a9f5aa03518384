import { type FilterPlugin, runFilters } from './framework.ts'
import { nodeResources } from './node-resources.ts'
import { joined, type NodeInfo, type Snapshot } from './snapshot.ts'
import { compare } from './text.ts'
import type { Pod, Shape } from './types.ts'

/** Members of one shape, interchangeable for the search, in order of preference. */
export type Kind = { readonly shape: Shape; readonly pods: readonly Pod[] }

/** What the planner asks about: a shape on a node. */
export type Question = {
  readonly filters: readonly FilterPlugin[]
  readonly refused: ReadonlyMap<string, ReadonlySet<string>>
}

/** Groups pods by shape key, kinds in order of their first pod. */
export function kindsOf(pods: readonly Pod[]): readonly Kind[] {
  const byKey = Map.groupBy(pods, pod => pod.shape.key)
  return [...byKey.values()].flatMap(same => (same[0] ? [{ shape: same[0].shape, pods: same }] : []))
}

type Shared = { readonly family: Map<string, State>; readonly takes: (boolean | undefined)[] }

/**
 * A node with some members placed on it. States make a graph that is built as far as it is walked; nodes that answer
 * alike share their states, so that each question is put to the filters once. Placing the same members in another
 * order leads to the same state.
 */
export class State {
  readonly info: NodeInfo
  /** How many of each kind were placed. */
  readonly placed: readonly number[]
  readonly #board: Board
  readonly #family: Map<string, State>
  readonly #next: (State | undefined)[] = []
  readonly #takes: (boolean | undefined)[]
  readonly #fullness: (number | undefined)[] = []

  /** `takes`: answers that are known already, by kind. */
  constructor(board: Board, info: NodeInfo, placed: readonly number[], shared: Shared) {
    this.#board = board
    this.info = info
    this.placed = placed
    this.#family = shared.family
    this.#takes = shared.takes
  }

  /** Whether one more member of that kind fits. */
  takes(kind: number): boolean {
    const known = this.#takes[kind]
    if (known !== undefined) return known
    const takes = this.#board.admits(kind, this.info)
    this.#takes[kind] = takes
    return takes
  }

  /** The node once one more member of that kind is there; undefined where it does not fit. */
  with(kind: number): State | undefined {
    const known = this.#next[kind]
    if (known || !this.takes(kind)) return known
    const next = this.#placing(kind)
    this.#next[kind] = next
    return next
  }

  #placing(kind: number): State {
    const placed = this.placed.with(kind, (this.placed[kind] ?? 0) + 1)
    const key = placed.join()
    const known = this.#family.get(key)
    if (known) return known
    // What does not fit now does not fit later.
    const takes = this.#takes.map(answer => (answer === false ? false : undefined))
    const info = joined(this.info, this.#board.pod(kind))
    const state = new State(this.#board, info, placed, { family: this.#family, takes })
    this.#family.set(key, state)
    return state
  }

  /** How much of what a member of that kind asks for would be taken once it came, from 0 to 1. */
  fullness(kind: number): number {
    const known = this.#fullness[kind]
    if (known !== undefined) return known
    const fullness = fullnessOf(this.#board.pod(kind).shape, this.info)
    this.#fullness[kind] = fullness
    return fullness
  }
}

/** Mean over the resources that the shape asks for; the number of pods counts where it asks for nothing else. */
function fullnessOf({ requests }: Shape, { node, used }: NodeInfo): number {
  let sum = 0
  let count = 0
  for (const [name, amount] of requests) {
    if (amount <= 0 || (name === 'pods' && requests.size > 1)) continue
    sum += ((used.get(name) ?? 0) + amount) / (node.allocatable.get(name) || 1)
    count++
  }
  return count === 0 ? 0 : sum / count
}

/** A node that takes at least one member. Rooms that share a state are interchangeable. */
export type Room = { readonly name: string; readonly root: State }

/** The question of one plan: kinds of members on one side, nodes with room for them on the other. */
export class Board {
  readonly kinds: readonly Kind[]
  /** In an order that depends on names only between rooms that are alike. */
  readonly rooms: readonly Room[]
  readonly #question: Question
  readonly #filters: readonly FilterPlugin[]
  readonly #countsResources: boolean

  constructor(snapshot: Snapshot, kinds: readonly Kind[], question: Question) {
    this.kinds = kinds
    this.#question = question
    this.#filters = question.filters
    this.#countsResources = question.filters.includes(nodeResources)
    this.rooms = this.#roomsOf(snapshot)
  }

  pod(kind: number): Pod {
    const pod = this.kinds[kind]?.pods[0]
    if (!pod) throw new RangeError(`no kind ${kind}`)
    return pod
  }

  /** Whether the filters let a member of that kind in, apart from what kube-scheduler refused. */
  admits(kind: number, info: NodeInfo): boolean {
    return runFilters(this.#filters, this.pod(kind).shape, info) === undefined
  }

  /** What is free of a resource; without end where no filter counts resources. */
  free(name: string, { node, used }: NodeInfo): number {
    return this.#countsResources ? (node.allocatable.get(name) ?? 0) - (used.get(name) ?? 0) : Number.POSITIVE_INFINITY
  }

  /** How often what a member of that kind asks for is free: it fits no more often, maybe less. */
  times(kind: number, info: NodeInfo): number {
    let times = Number.POSITIVE_INFINITY
    for (const [name, amount] of this.pod(kind).shape.requests) {
      if (amount > 0) times = Math.min(times, Math.floor(this.free(name, info) / amount))
    }
    return times
  }

  /** By kind: how many members the rooms would take if no other kind came, as far as amounts tell. */
  slots(): readonly number[] {
    return this.kinds.map((_, index) =>
      this.rooms.reduce((sum, { root }) => (root.takes(index) ? sum + this.times(index, root.info) : sum), 0)
    )
  }

  #roomsOf(snapshot: Snapshot): readonly Room[] {
    const resources = [...new Set(this.kinds.flatMap(kind => [...kind.shape.requests.keys()]))].toSorted(compare)
    const roots = new Map<string, State>()
    const keyed: { key: string; room: Room }[] = []
    for (const info of snapshot.nodes) {
      const answers = this.kinds.map((kind, index) => this.#firstAnswer(kind.shape, index, info))
      if (!answers.includes(true)) continue
      const key = signature(answers, resources, info)
      const root = roots.get(key) ?? this.#root(info, answers)
      roots.set(key, root)
      keyed.push({ key, room: { name: info.node.name, root } })
    }
    return keyed.toSorted((a, b) => compare(a.key, b.key) || compare(a.room.name, b.room.name)).map(({ room }) => room)
  }

  #firstAnswer(shape: Shape, kind: number, info: NodeInfo): boolean {
    return !this.#question.refused.get(shape.key)?.has(info.node.name) && this.admits(kind, info)
  }

  #root(info: NodeInfo, answers: readonly boolean[]): State {
    const placed = this.kinds.map(() => 0)
    return new State(this, info, placed, { family: new Map(), takes: [...answers] })
  }
}

/** Whatever can tell two nodes apart for these kinds: first answers, and the amounts they ask for. */
function signature(answers: readonly boolean[], resources: readonly string[], { node, used }: NodeInfo): string {
  let key = ''
  for (const answer of answers) key += answer ? '1' : '0'
  for (const name of resources) key += ` ${node.allocatable.get(name) ?? 0}-${used.get(name) ?? 0}`
  return key
}
