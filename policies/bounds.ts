import type { Board, State } from './board.ts'

/** Weights of kinds by which rooms are measured: whatever a room takes, its members weigh at most so much. */
export type Measure = readonly number[]

/** What no placement can exceed. */
export type Bounds = {
  readonly measures: readonly Measure[]
  /** By measure: the most that one room takes, starting from that state. */
  most(state: State): readonly number[]
}

/** States looked at for one room's exact bounds; beyond it a looser bound has to do. */
const statesPerRoom = 3000

/**
 * Measures by each resource, by each kind alone and by the mere number of members. A room's bound is exact (what the
 * best set of members would take of it, odd ends left over) unless its states are too many.
 */
export function boundsOf(board: Board): Bounds {
  const resources = [...new Set(board.kinds.flatMap(kind => [...kind.shape.requests.keys()]))]
  const measures = [
    ...resources.map(name => board.kinds.map(kind => kind.shape.requests.get(name) ?? 0)),
    ...board.kinds.map((_, one) => board.kinds.map((_, kind) => (kind === one ? 1 : 0)))
  ]
  const known = new Map<State, readonly number[]>()
  const limits = board.kinds.map(kind => kind.pods.length)
  const most = (state: State) => {
    const cached = known.get(state)
    if (cached) return cached
    const found = exact(state, { measures, limits, known }) ?? loose(state, { measures, limits })
    known.set(state, found)
    return found
  }
  return { measures, most }
}

type Scope = { readonly measures: readonly Measure[]; readonly limits: readonly number[] }

/** Walks the graph of states depth first, with a stack of its own; undefined where the graph is too large. */
function exact(root: State, { measures, limits, known }: Scope & { known: Map<State, readonly number[]> }) {
  const stack = [root]
  let steps = 0
  for (let state = stack.at(-1); state; state = stack.at(-1)) {
    if (++steps > statesPerRoom) return undefined
    const nexts = successors(state, limits)
    const open = nexts.filter(({ next }) => !known.has(next)).map(({ next }) => next)
    if (open.length > 0) {
      stack.push(...open)
      continue
    }
    known.set(
      state,
      measures.map((measure, index) => best(nexts, measure, index))
    )
    stack.pop()
  }
  return known.get(root)

  function best(nexts: readonly { kind: number; next: State }[], measure: Measure, index: number): number {
    return nexts.reduce(
      (max, { kind, next }) => Math.max(max, (measure[kind] ?? 0) + (known.get(next)?.[index] ?? 0)),
      0
    )
  }
}

function successors(state: State, limits: readonly number[]): readonly { kind: number; next: State }[] {
  return limits.flatMap((limit, kind) => {
    const next = (state.placed[kind] ?? 0) < limit ? state.with(kind) : null
    return next ? [{ kind, next }] : []
  })
}

/** As if each kind came alone, and all of them at once: more than any mixture takes. */
function loose(root: State, { measures, limits }: Scope): readonly number[] {
  const alone = limits.map((limit, kind) => {
    let count = 0
    for (let state = root.with(kind); state && count < limit; state = state.with(kind)) count++
    return count
  })
  return measures.map(measure => measure.reduce((sum, weight, kind) => sum + weight * (alone[kind] ?? 0), 0))
}
