import type { Board, State } from './board.ts'

/** Weights of kinds by which rooms are measured: whatever a room takes, its members weigh at most so much. */
export type Measure = readonly number[]

/** What no placement can exceed. */
export type Bounds = {
  readonly measures: readonly Measure[]
  /** By measure: the most that one room takes, starting from that state. */
  most(state: State): readonly number[]
}

/** States looked at for one room's exact bounds, and for all rooms together; beyond them a looser bound has to do. */
const statesPerRoom = 3000
const statesInAll = 60_000
/** With more kinds than that only resources are measured. */
const mostKinds = 32

/**
 * Measures by each resource and by each kind alone. A room's bound is exact (what the best set of members would take
 * of it, odd ends left over) unless its states are too many.
 */
export function boundsOf(board: Board): Bounds {
  const resources = [...new Set(board.kinds.flatMap(kind => [...kind.shape.requests.keys()]))]
  const byResource = resources.map(name => board.kinds.map(kind => kind.shape.requests.get(name) ?? 0))
  const byKind = board.kinds.map((_, one) => board.kinds.map((_, kind) => (kind === one ? 1 : 0)))
  const isSmall = board.kinds.length <= mostKinds
  const scope: Scope = {
    board,
    resources,
    measures: isSmall ? [...byResource, ...byKind] : byResource,
    limits: board.kinds.map(kind => kind.pods.length),
    known: new Map(),
    steps: isSmall ? statesInAll : 0
  }
  const most = (state: State) => {
    const found = scope.known.get(state) ?? exact(state, scope) ?? loose(state, scope)
    scope.known.set(state, found)
    return found
  }
  return { measures: scope.measures, most }
}

type Scope = {
  readonly board: Board
  readonly resources: readonly string[]
  readonly measures: readonly Measure[]
  readonly limits: readonly number[]
  readonly known: Map<State, readonly number[]>
  /** Steps left. */
  steps: number
}

/** Walks the graph of states depth first, with a stack of its own; undefined where the graph is too large. */
function exact(root: State, scope: Scope): readonly number[] | undefined {
  const { known, measures } = scope
  const stack = [root]
  const end = Math.max(0, scope.steps - statesPerRoom)
  for (let state = stack.at(-1); state; state = stack.at(-1)) {
    if (--scope.steps < end || scope.steps < 0) return undefined
    const nexts = successors(state, scope.limits)
    const open = nexts.filter(({ next }) => !known.has(next)).map(({ next }) => next)
    if (open.length === 0) {
      known.set(
        state,
        measures.map((measure, index) => best(nexts, { measure, index, known }))
      )
      stack.pop()
    } else stack.push(...open)
  }
  return known.get(root)
}

type Successor = { readonly kind: number; readonly next: State }

function successors(state: State, limits: readonly number[]): readonly Successor[] {
  return limits.flatMap((limit, kind) => {
    const next = (state.placed[kind] ?? 0) < limit ? state.with(kind) : undefined
    return next ? [{ kind, next }] : []
  })
}

type By = { readonly measure: Measure; readonly index: number; readonly known: ReadonlyMap<State, readonly number[]> }

function best(nexts: readonly Successor[], { measure, index, known }: By): number {
  let most = 0
  for (const { kind, next } of nexts) most = Math.max(most, (measure[kind] ?? 0) + (known.get(next)?.[index] ?? 0))
  return most
}

/** As if each kind came alone, and all of them at once, but no more than is free: more than any mixture takes. */
function loose(root: State, { board, resources, measures, limits }: Scope): readonly number[] {
  const alone = limits.map((limit, kind) => (root.takes(kind) ? Math.min(limit, board.times(kind, root.info)) : 0))
  return measures.map((measure, index) => {
    const sum = measure.reduce((total, weight, kind) => total + weight * (alone[kind] ?? 0), 0)
    const name = resources[index]
    return name === undefined ? sum : Math.min(sum, board.free(name, root.info))
  })
}
