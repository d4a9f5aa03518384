import type { Board, State } from './board.ts'

/** Which room takes a member of which kind. */
export type Pick = { readonly room: number; readonly kind: number }

type Entry = { readonly fullness: number; readonly room: number; readonly state: State }

/** Kinds for which the rooms are kept sorted; members mostly come kind by kind. */
const heapsKept = 16

/**
 * Best fit: each member goes to the fullest room that still takes it, ties to the first room of the board.
 * The states of all rooms are kept, so that one packing can go on where another ended.
 */
export class Packing {
  readonly #states: State[]
  readonly #heaps: (Entry[] | undefined)[] = []
  readonly #kept: number[] = []
  readonly picks: Pick[] = []

  constructor(board: Board, picks: readonly Pick[] = []) {
    this.#states = board.rooms.map(room => room.root)
    for (const { room, kind } of picks) this.#place(room, kind)
  }

  /** Places one member of that kind; false where no room takes it. */
  add(kind: number): boolean {
    const room = this.#bestFor(kind)
    return room !== undefined && this.#place(room, kind)
  }

  #bestFor(kind: number): number | undefined {
    const heap = this.#heapOf(kind)
    for (let top = heap[0]; top; top = heap[0]) {
      const isCurrent = this.#states[top.room] === top.state
      if (isCurrent && top.state.takes(kind)) return top.room
      pop(heap)
    }
    return undefined
  }

  #place(room: number, kind: number): boolean {
    const next = this.#states[room]?.with(kind)
    if (!next) return false
    this.#states[room] = next
    this.picks.push({ room, kind })
    for (const [other, heap] of this.#heaps.entries()) {
      if (heap && next.takes(other)) push(heap, { fullness: next.fullness(other), room, state: next })
    }
    return true
  }

  /** Made when a kind is first asked for: until then nothing has to be kept up to date for it. */
  #heapOf(kind: number): Entry[] {
    const known = this.#heaps[kind]
    if (known) return known
    const heap: Entry[] = []
    for (const [room, state] of this.#states.entries()) {
      if (state.takes(kind)) push(heap, { fullness: state.fullness(kind), room, state })
    }
    if (this.#kept.push(kind) > heapsKept) this.#heaps[this.#kept.shift() ?? 0] = undefined
    this.#heaps[kind] = heap
    return heap
  }
}

/** Fuller first, then by room. */
const isBefore = (a: Entry, b: Entry) => a.fullness > b.fullness || (a.fullness === b.fullness && a.room < b.room)

/** A binary heap in an array. */
function push(heap: Entry[], entry: Entry): void {
  let at = heap.length
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent]
    if (!above || isBefore(above, entry)) break
    heap[at] = above
    at = parent
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let at = 0
  for (let child = best(heap, 1); child < heap.length; child = best(heap, 2 * at + 1)) {
    const below = heap[child]
    if (!below || isBefore(last, below)) break
    heap[at] = below
    at = child
  }
  heap[at] = last
}

function best(heap: readonly Entry[], left: number): number {
  const [a, b] = [heap[left], heap[left + 1]]
  return a && b && isBefore(b, a) ? left + 1 : left
}
