import type { Board } from './board.ts'
import { boundsOf } from './bounds.ts'
import { Packing, type Pick } from './packing.ts'
import { search } from './search.ts'
import { compare } from './text.ts'
import type { PlanRequest } from './plan.ts'

/** Places for some members. `proven`: that not all that was asked for can be placed, not only that it was not found. */
export type Finding = { readonly picks: readonly Pick[]; readonly proven: boolean }

/** Steps of each search, some tenths of a microsecond each. */
const budget = 100_000
/** How much more a scarce resource counts than a plentiful one: the searches differ in what they try first. */
const keennesses = [4, 1, 12, 30]

/** Places for all members, or else for as many as were found. */
export function everyOne(board: Board): Finding {
  const demand = board.kinds.map(kind => kind.pods.length)
  const total = demand.reduce((sum, count) => sum + count, 0)
  let best: readonly Pick[] = []
  for (const sequence of sequences(board)) {
    const { picks } = packed(
      board,
      sequence.flatMap(kind => Array<number>(demand[kind] ?? 0).fill(kind))
    )
    if (picks.length === total) return { picks, proven: false }
    if (picks.length > best.length) best = picks
  }
  return searched(board, { demand, spare: 0 }, best)
}

/** Places for at least `need` members, and for as many more as still find room, earlier members first. */
export function anyOf(board: Board, { pods, need }: PlanRequest, all: Finding): Finding {
  const byKey = new Map(board.kinds.map((kind, index) => [kind.shape.key, index]))
  const preferred = pods.map(pod => byKey.get(pod.shape.key) ?? 0)
  const demand = board.kinds.map(kind => kind.pods.length)
  const hard = hardest(board)
  const prefix = preferred.slice(0, need).toSorted((a, b) => hard.indexOf(a) - hard.indexOf(b))
  const easy = hard.toReversed().flatMap(kind => Array<number>(demand[kind] ?? 0).fill(kind))
  const tries = [preferred, [...prefix, ...preferred.slice(need)], easy].map(sequence => packed(board, sequence).picks)
  const best = longest([...tries, filled(board, all.picks, preferred)])
  if (best.length >= need) return { picks: best, proven: false }
  const found = searched(board, { demand, spare: pods.length - need }, best)
  return found.picks.length >= need ? { ...found, picks: filled(board, found.picks, preferred) } : found
}

/** With one kind of member best fit fills every room to the brim, so there is nothing to search for. */
function searched(
  board: Board,
  question: { readonly demand: readonly number[]; readonly spare: number },
  best: readonly Pick[]
): Finding {
  if (board.kinds.length <= 1) return { picks: best, proven: true }
  const bounds = boundsOf(board)
  for (const keenness of keennesses) {
    const result = search(board, bounds, { ...question, budget, keenness })
    if (result.outcome === 'found') return { picks: result.picks, proven: false }
    if (result.outcome === 'infeasible') return { picks: best, proven: true }
  }
  return { picks: best, proven: false }
}

/** What best fit makes of that sequence of kinds; members without room are passed over. */
function packed(board: Board, sequence: readonly number[], start: readonly Pick[] = []): Packing {
  const packing = new Packing(board, start)
  const full = new Set<number>()
  for (const kind of sequence) if (!full.has(kind) && !packing.add(kind)) full.add(kind)
  return packing
}

/** Those places, and more for the members that have none yet. */
function filled(board: Board, picks: readonly Pick[], preferred: readonly number[]): readonly Pick[] {
  const placed = board.kinds.map((_, kind) => picks.filter(pick => pick.kind === kind).length)
  const rest = preferred.filter(kind => (placed[kind] = (placed[kind] ?? 0) - 1) < 0)
  return packed(board, rest, picks).picks
}

/** The longest; of equals the first. */
const longest = (tries: readonly (readonly Pick[])[]): readonly Pick[] =>
  tries.reduce((best, picks) => (picks.length > best.length ? picks : best), [])

/** Orders in which best fit is tried: hardest kinds first, then the largest first by each resource. */
function sequences(board: Board): readonly (readonly number[])[] {
  const hard = hardest(board)
  if (hard.length <= 1) return [hard]
  const resources = [...new Set(board.kinds.flatMap(kind => [...kind.shape.requests.keys()]))].toSorted(compare)
  const amount = (kind: number, name: string) => board.kinds[kind]?.shape.requests.get(name) ?? 0
  const bySize = resources
    .filter(name => new Set(hard.map(kind => amount(kind, name))).size > 1)
    .map(name => hard.toSorted((a, b) => amount(b, name) - amount(a, name)))
  return [hard, ...bySize.slice(0, 4)]
}

/** Kinds by how many of them the rooms would take if nothing else came, fewest first; ties by shape. */
function hardest(board: Board): readonly number[] {
  const slots = board.slots()
  const key = (kind: number) => board.kinds[kind]?.shape.key ?? ''
  return board.kinds
    .map((_, kind) => kind)
    .toSorted((a, b) => (slots[a] ?? 0) - (slots[b] ?? 0) || (key(a) < key(b) ? -1 : 1))
}
