import type { State } from './board.ts'

/** One way to fill a room: how many members of each kind. */
export type Pattern = { readonly counts: readonly number[]; readonly value: number }

/** `isCut`: there are more. */
export type Patterns = { readonly ways: readonly Pattern[]; readonly steps: number; readonly isCut: boolean }

/** Ways looked at for one room; where there are more, nothing is proven any more. */
const most = 400
const steps = 4000

/**
 * All ways to fill the room, from that state on, with what is left, that leave no room for any other member; the most
 * valuable first, then by counts, so that the order is total.
 */
export function patterns(root: State, rest: readonly number[], value: readonly number[]): Patterns {
  const walk = new Walk(root, rest, value)
  walk.run()
  return { ways: walk.ways.toSorted(byValue), steps: walk.steps, isCut: walk.isCut }
}

const byValue = (a: Pattern, b: Pattern): number => {
  if (a.value !== b.value) return b.value - a.value
  const kind = a.counts.findIndex((count, index) => count !== b.counts[index])
  return (b.counts[kind] ?? 0) - (a.counts[kind] ?? 0)
}

class Walk {
  readonly ways: Pattern[] = []
  steps = 0
  isCut = false
  readonly #root: State
  readonly #rest: readonly number[]
  readonly #value: readonly number[]

  constructor(root: State, rest: readonly number[], value: readonly number[]) {
    this.#root = root
    this.#rest = rest
    this.#value = value
  }

  /** Kind by kind, each chain of states from the longest to none; a stack stands for the nested loops. */
  run(): void {
    const open: { state: State; kind: number }[] = [{ state: this.#root, kind: 0 }]
    for (let at = open.pop(); at; at = open.pop()) {
      if (this.ways.length >= most || this.steps > steps) {
        this.isCut = true
        return
      }
      if (at.kind === this.#rest.length) this.#end(at.state)
      else for (const state of this.#chain(at.state, at.kind)) open.push({ state, kind: at.kind + 1 })
    }
  }

  /** The state with none, one, two … more members of that kind. */
  #chain(state: State, kind: number): readonly State[] {
    const chain = [state]
    const left = this.#rest[kind] ?? 0
    for (let next = state.with(kind); next && chain.length <= left; next = next.with(kind)) chain.push(next)
    this.steps += chain.length
    return chain
  }

  #end(state: State): void {
    const isFull = this.#rest.every((left, kind) => (state.placed[kind] ?? 0) >= left || !state.takes(kind))
    if (!isFull) return
    const value = state.placed.reduce((sum, count, kind) => sum + count * (this.#value[kind] ?? 0), 0)
    this.ways.push({ counts: state.placed, value })
  }
}
