import type { Sort } from './ground.ts'
import { Matching } from './matching.ts'
import { isOneScale, mayTake, type Unit } from './unit.ts'

/** What the law looks at: the units in their turn, and the nodes by what they take. */
export type Scene = {
  readonly units: readonly Unit[]
  /** The number of each shape, by its key. */
  readonly shapes: ReadonlyMap<string, number>
  /** By node name. */
  readonly sorts: ReadonlyMap<string, Sort>
}

/** Who stays or is placed; `matching` has exactly the placed ones, on nodes that nobody keeps. */
export type Selection = { readonly chosen: ReadonlySet<Unit>; readonly matching: Matching }

/**
 * The top units that fit the cluster together. Each in its turn: who stands stays where it is unless those before it
 * need the room, who waits is placed whole where room can be had from those after it whom it may evict.
 */
export function select(scene: Scene): Selection {
  return new Selecting(scene).run()
}

class Selecting {
  readonly #scene: Scene
  readonly #matching: Matching
  readonly #chosen = new Set<Unit>()
  /** Had their turn, and do not stay. */
  readonly #victims = new Set<Unit>()
  readonly #begun = new Set<string>()
  /** Nodes that somebody keeps. */
  readonly #closed = new Set<string>()
  /** Shapes of which not one more can be placed, whatever happens: room only shrinks. */
  readonly #full = new Set<number>()
  /** Who stands and may have a right against somebody before it; nobody where the order says it all. */
  readonly #standing: readonly Unit[]

  constructor(scene: Scene) {
    this.#scene = scene
    const counts = new Map<Sort, number>()
    for (const sort of scene.sorts.values()) counts.set(sort, (counts.get(sort) ?? 0) + 1)
    this.#matching = new Matching(counts, scene.shapes.size)
    this.#standing = isOneScale(scene.units) ? [] : scene.units.filter(unit => unit.stands)
  }

  run(): Selection {
    for (const unit of this.#scene.units) {
      if (this.#chosen.has(unit)) continue
      this.#matching.mark()
      if (unit.stands ? this.#keep([unit]) : this.#place(unit)) this.#chosen.add(unit)
      else {
        this.#matching.undo()
        if (unit.stands) this.#victims.add(unit)
      }
    }
    return { chosen: this.#chosen, matching: this.#matching }
  }

  /** All of them, or, as soon as what was done is undone, nobody. */
  #keep(units: readonly Unit[]): boolean {
    const nodes = new Set(units.flatMap(unit => unit.pods.map(pod => pod.nodeName ?? '')))
    const open = [...nodes].filter(node => !this.#closed.has(node))
    if (!open.every(node => this.#matching.close(this.#scene.sorts.get(node) ?? ''))) return false
    for (const node of open) this.#closed.add(node)
    for (const unit of units) {
      this.#chosen.add(unit)
      this.#begun.add(unit.key)
    }
    return true
  }

  #place(unit: Unit): boolean {
    if (unit.beside !== undefined && !this.#begun.has(unit.beside)) return false
    const numbers = unit.pods.map(({ shape }) => this.#scene.shapes.get(shape.key) ?? 0)
    if (numbers.some(number => this.#full.has(number))) return false
    for (const [index, number] of numbers.entries()) {
      if (this.#matching.place(number)) continue
      if (index === 0) this.#full.add(number)
      return false
    }
    // Whom it may not evict stays, whatever comes after.
    const isSafe = (other: Unit): boolean =>
      !this.#chosen.has(other) && !this.#victims.has(other) && !mayTake(unit, other)
    return this.#keep(this.#standing.filter(isSafe))
  }
}
