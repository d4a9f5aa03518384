import { Tree } from '../tree.ts'
import { inTurn, type Unit } from './unit.ts'

/** The units in their order, and which of them the nodes are enough for: who waits, and who stands where those could go. */
export class Ranking {
  /** What each unit takes; who takes nothing is not in the order. */
  readonly #weights = new Map<Unit, number>()
  readonly #order = new Tree<Unit>(inTurn, unit => this.#weights.get(unit) ?? 0)
  readonly #placed = new Set<Unit>()
  readonly #victims = new Set<Unit>()
  /** Whether a gang of that key has members that are missing beside those that stand. */
  readonly #isShort: (gang: string) => boolean
  readonly #torn = new Set<string>()

  constructor(isShort: (gang: string) => boolean) {
    this.#isShort = isShort
  }

  get looks(): number {
    return this.#order.looks
  }

  /** Whether a gang is evicted while a missing member of it may be placed, which the order does not see. */
  get isTorn(): boolean {
    return this.#torn.size > 0
  }

  /** Those that wait and are to be placed, in order. */
  placed(): readonly Unit[] {
    return [...this.#placed].toSorted(inTurn)
  }

  /** Those that stand and are to leave, in order. */
  victims(): readonly Unit[] {
    return [...this.#victims].toSorted(inTurn)
  }

  /** Those that wait in vain, in order. */
  waiting(): readonly Unit[] {
    return [...this.#order].filter(unit => !unit.stands && !this.#placed.has(unit))
  }

  isPlaced(unit: Unit): boolean {
    return this.#placed.has(unit)
  }

  leaves(unit: Unit): boolean {
    return this.#victims.has(unit)
  }

  /** The unit takes so many nodes; false where that is nothing new. Whether they are enough for it is open again. */
  set(unit: Unit, weight: number): boolean {
    if (this.#weights.get(unit) === weight) return false
    this.#order.delete(unit)
    this.#weights.set(unit, weight)
    this.#mark(unit, unit.stands && weight === 0)
    if (weight > 0) this.#order.add(unit)
    return true
  }

  delete(unit: Unit): void {
    this.#order.delete(unit)
    this.#weights.delete(unit)
    this.#placed.delete(unit)
    this.#victims.delete(unit)
    this.#torn.delete(unit.key)
  }

  /** Chooses anew for so many nodes, and tells for whom that is news. */
  choose(capacity: number, tell: (unit: Unit) => void): void {
    this.#order.choose(capacity, (unit, isChosen) => {
      this.#mark(unit, isChosen)
      tell(unit)
    })
  }

  #mark(unit: Unit, isChosen: boolean): void {
    const set = unit.stands ? this.#victims : this.#placed
    if (isChosen === unit.stands) set.delete(unit)
    else set.add(unit)
    if (!unit.stands) return
    if (!isChosen && this.#isShort(unit.key)) this.#torn.add(unit.key)
    else this.#torn.delete(unit.key)
  }
}
