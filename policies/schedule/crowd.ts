import { isUniversal, type Unit } from './unit.ts'

/** Counts what decides whether the order of the units says it all. */
export class Crowd {
  readonly #byNamespace = new Map<string, number>()
  #local = 0
  #modest = 0

  count(unit: Unit, by: 1 | -1): void {
    const left = (this.#byNamespace.get(unit.namespace) ?? 0) + by
    if (left > 0) this.#byNamespace.set(unit.namespace, left)
    else this.#byNamespace.delete(unit.namespace)
    if (!isUniversal(unit)) this.#local += by
    if (!unit.stands && !unit.preempts) this.#modest += by
  }

  /** As `isOneScale` says of all units. */
  get isOneScale(): boolean {
    return this.#modest === 0 && (this.#local === 0 || this.#byNamespace.size <= 1)
  }
}
