import type { Pod } from '../types.ts'
import { type Rules, type Unit, unitsOf } from './unit.ts'

type Gang = { readonly pods: Map<string, Pod>; units: readonly Unit[] }
const nobody: readonly Unit[] = []

/** Which units the planned pods make: a change of one pod touches the units of its gang, and no others. */
export class Roll {
  readonly #rules: Rules
  readonly #gangs = new Map<string, Gang>()
  /** By the uid of each of its pods. */
  readonly #unitOf = new Map<string, Unit>()

  constructor(rules: Rules) {
    this.#rules = rules
  }

  /** The unit of that pod. */
  of(uid: string): Unit | undefined {
    return this.#unitOf.get(uid)
  }

  units(gang: string): readonly Unit[] {
    return this.#gangs.get(gang)?.units ?? nobody
  }

  add(pod: Pod, gang: string): void {
    const known = this.#gangs.get(gang) ?? { pods: new Map<string, Pod>(), units: nobody }
    known.pods.set(pod.uid, pod)
    this.#gangs.set(gang, known)
  }

  delete(uid: string, gang: string): void {
    this.#gangs.get(gang)?.pods.delete(uid)
  }

  /** The gang's units are none any more; answers them. */
  dissolve(gang: string): readonly Unit[] {
    const known = this.#gangs.get(gang)
    if (!known) return nobody
    const { units } = known
    known.units = nobody
    for (const { pods } of units) for (const { uid } of pods) this.#unitOf.delete(uid)
    if (known.pods.size === 0) this.#gangs.delete(gang)
    return units
  }

  /** Makes units of the gang's pods as they are now. */
  form(gang: string): readonly Unit[] {
    const known = this.#gangs.get(gang)
    if (!known) return nobody
    known.units = unitsOf([...known.pods.values()], this.#rules)
    for (const unit of known.units) for (const { uid } of unit.pods) this.#unitOf.set(uid, unit)
    return known.units
  }
}
