import { type FilterPlugin, runFilters } from './framework.ts'
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
  readonly #next: (State | null | undefined)[] = []
  readonly #fullness: (number | undefined)[] = []

  constructor(board: Board, info: NodeInfo, placed: readonly number[], family: Map<string, State>) {
    this.#board = board
    this.info = info
    this.placed = placed
    this.#family = family
  }

  /** The node once one more member of that kind is there; null where it does not fit. */
  with(kind: number): State | null {
    const known = this.#next[kind]
    if (known !== undefined) return known
    const next = this.#board.admits(kind, this.info) ? this.#placing(kind) : null
    this.#next[kind] = next
    return next
  }

  /** Says that no member of that kind may come, now or later; what stands here hands it on to what follows. */
  refuse(kind: number): void {
    this.#next[kind] = null
  }

  #placing(kind: number): State {
    const placed = this.placed.with(kind, (this.placed[kind] ?? 0) + 1)
    const key = placed.join()
    const known = this.#family.get(key)
    if (known) return known
    const state = new State(this.#board, joined(this.info, this.#board.pod(kind)), placed, this.#family)
    for (const [other, next] of this.#next.entries()) if (next === null) state.refuse(other)
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
    if (name === 'pods' && requests.size > 1) continue
    sum += ((used.get(name) ?? 0) + amount) / (node.allocatable.get(name) ?? 1)
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

  constructor(snapshot: Snapshot, kinds: readonly Kind[], question: Question) {
    this.kinds = kinds
    this.#question = question
    this.#filters = question.filters
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

  /** By kind: how many members the rooms would take if no other kind came, as far as amounts tell. */
  slots(): readonly number[] {
    return this.kinds.map((kind, index) =>
      this.rooms.reduce((sum, { root }) => (root.with(index) ? sum + timesIn(kind.shape, root.info) : sum), 0)
    )
  }

  #roomsOf(snapshot: Snapshot): readonly Room[] {
    const resources = [...new Set(this.kinds.flatMap(kind => [...kind.shape.requests.keys()]))].sort()
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
    return keyed.sort((a, b) => compare(a.key, b.key) || compare(a.room.name, b.room.name)).map(({ room }) => room)
  }

  #firstAnswer(shape: Shape, kind: number, info: NodeInfo): boolean {
    return !this.#question.refused.get(shape.key)?.has(info.node.name) && this.admits(kind, info)
  }

  #root(info: NodeInfo, answers: readonly boolean[]): State {
    const root = new State(
      this,
      info,
      this.kinds.map(() => 0),
      new Map()
    )
    for (const [kind, admitted] of answers.entries()) if (!admitted) root.refuse(kind)
    return root
  }
}

function timesIn({ requests }: Shape, { node, used }: NodeInfo): number {
  let times = Number.MAX_SAFE_INTEGER
  for (const [name, amount] of requests) {
    const free = (node.allocatable.get(name) ?? 0) - (used.get(name) ?? 0)
    times = Math.min(times, Math.floor(free / amount))
  }
  return times
}

/** Whatever can tell two nodes apart for these kinds: first answers, and the amounts they ask for. */
function signature(answers: readonly boolean[], resources: readonly string[], { node, used }: NodeInfo): string {
  let key = ''
  for (const answer of answers) key += answer ? '1' : '0'
  for (const name of resources) key += ` ${node.allocatable.get(name) ?? 0}-${used.get(name) ?? 0}`
  return key
}
