import type { Board, State } from './board.ts'
import type { Bounds } from './bounds.ts'
import type { Pick } from './packing.ts'
import { patterns, type Pattern } from './patterns.ts'

/** How many members of each kind to place, and how many of all those may stay without a place. */
export type Question = {
  readonly demand: readonly number[]
  readonly spare: number
  readonly budget: number
  readonly keenness: number
}

export type Result =
  | { readonly outcome: 'found'; readonly picks: readonly Pick[] }
  /** Proven: every way was ruled out. */
  | { readonly outcome: 'infeasible' }
  /** The budget ended first. */
  | { readonly outcome: 'unknown' }

/** One room being decided: what is left to place, and the ways to fill the room that are still to be tried. */
type Frame = { readonly rest: readonly number[]; readonly ways: readonly Pattern[]; next: number }

/**
 * Fills the rooms one after the other (bin completion, after Korf). Only fillings that take all they can are tried:
 * if there is a solution, there is one of those, as members can always be moved to an earlier room that takes them.
 * What is left with so many rooms of each sort to go is tried once, which makes equal rooms and equal members count
 * once. A branch ends where the rooms to go cannot take what is left by some measure.
 */
export function search(board: Board, bounds: Bounds, question: Question): Result {
  return new Search(board, bounds, question).run()
}

class Search {
  readonly #rooms: readonly { readonly index: number; readonly root: State }[]
  /** By number of rooms done, then by measure: the most that the rooms to go take. */
  readonly #supply: readonly (readonly number[])[]
  readonly #bounds: Bounds
  readonly #question: Question
  readonly #tried = new Set<string>()
  #steps = 0
  #isCut = false

  constructor(board: Board, bounds: Bounds, question: Question) {
    this.#bounds = bounds
    this.#question = question
    this.#rooms = arranged(board, bounds)
    this.#supply = suffixSums(
      this.#rooms.map(room => bounds.most(room.root)),
      bounds.measures.length
    )
  }

  run(): Result {
    const stack: Frame[] = []
    const first = this.#frame(0, this.#question.demand)
    if (first) stack.push(first)
    for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
      if (++this.#steps > this.#question.budget) return { outcome: 'unknown' }
      if (unplaced(frame.rest) <= this.#question.spare) return { outcome: 'found', picks: this.#picks(stack) }
      const way = frame.ways[frame.next++]
      const next = way && this.#frame(stack.length, minus(frame.rest, way.counts))
      if (next) stack.push(next)
      else if (!way) stack.pop()
    }
    return { outcome: this.#isCut ? 'unknown' : 'infeasible' }
  }

  /** The next room's ways to be filled; undefined where the rooms to go cannot do it, or this was tried before. */
  #frame(done: number, rest: readonly number[]): Frame | undefined {
    if (!this.#isWithin(done, rest)) return undefined
    const room = this.#rooms[done]
    if (!room) return { rest, ways: [], next: 0 }
    const key = `${done} ${rest.join()}`
    if (this.#tried.has(key)) return undefined
    this.#tried.add(key)
    const { ways, steps, isCut } = patterns(room.root, rest, this.#values(done, rest))
    this.#steps += steps
    this.#isCut ||= isCut
    return { rest, ways, next: 0 }
  }

  #isWithin(done: number, rest: readonly number[]): boolean {
    const supply = this.#supply[done] ?? []
    const { spare } = this.#question
    return this.#bounds.measures.every((measure, index) => leastLeft(measure, rest, spare) <= (supply[index] ?? 0))
  }

  /** What a member is worth to the next room: its share of what there is by each measure, scarce ones counting most. */
  #values(done: number, rest: readonly number[]): readonly number[] {
    const supply = this.#supply[done] ?? []
    const prices = this.#bounds.measures.map((measure, index) => {
      const there = supply[index] || 1
      return (leastLeft(measure, rest, 0) / there) ** this.#question.keenness / there
    })
    return rest.map((_, kind) =>
      this.#bounds.measures.reduce((sum, measure, index) => sum + (measure[kind] ?? 0) * (prices[index] ?? 0), 0)
    )
  }

  #picks(stack: readonly Frame[]): readonly Pick[] {
    return stack.flatMap((frame, depth) => {
      const counts = depth === stack.length - 1 ? [] : (frame.ways[frame.next - 1]?.counts ?? [])
      const room = this.#rooms[depth]?.index ?? 0
      return counts.flatMap((count, kind) => Array.from({ length: count }, () => ({ room, kind })))
    })
  }
}

/** Rooms that take least come first; rooms of one sort stand together. */
function arranged(board: Board, bounds: Bounds) {
  const size = (root: State) => bounds.most(root).reduce((sum, most) => sum + Math.log1p(most), 0)
  const sizes = new Map(board.rooms.map(room => [room.root, size(room.root)]))
  const of = (room: { root: State }) => sizes.get(room.root) ?? 0
  return board.rooms
    .map((room, index) => ({ index, root: room.root }))
    .toSorted((a, b) => of(a) - of(b) || a.index - b.index)
}

function suffixSums(most: readonly (readonly number[])[], measures: number): readonly (readonly number[])[] {
  const sums: number[][] = [Array<number>(measures).fill(0)]
  for (const room of most.toReversed()) {
    const last = sums.at(-1) ?? []
    sums.push(last.map((sum, index) => sum + (room[index] ?? 0)))
  }
  return sums.toReversed()
}

/** What the members left weigh if the `spare` heaviest of them get no place. */
function leastLeft(measure: readonly number[], rest: readonly number[], spare: number): number {
  let sum = 0
  let heaviest = 0
  for (const [kind, count] of rest.entries()) {
    const weight = measure[kind] ?? 0
    sum += weight * count
    if (count > 0 && weight > heaviest) heaviest = weight
  }
  return sum - heaviest * spare
}

const minus = (rest: readonly number[], counts: readonly number[]) =>
  rest.map((count, kind) => count - (counts[kind] ?? 0))
const unplaced = (rest: readonly number[]) => rest.reduce((sum, count) => sum + count, 0)
