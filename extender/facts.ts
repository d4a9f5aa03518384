import type { Resources } from '../policies/types.ts'

/** The size that a pod's controller wants; undefined where it does not say. */
export type ControllerSize = { readonly uid: string; readonly size: number | undefined }

/** What a PodGroup object says of its gang, whatever its API. */
export type PodGroup = {
  /** Its API group, such as `scheduling.x-k8s.io`. */
  readonly api: string
  readonly namespace: string
  readonly name: string
  /** Undefined where it does not say. */
  readonly minMember: number | undefined
  /** Minimum by role; empty without roles. */
  readonly roles: ReadonlyMap<string, number>
  readonly minResources: Resources | undefined
  /** How long the gang may wait, in milliseconds. */
  readonly timeoutMs: number | undefined
}

/** A PodDisruptionBudget: of the pods that it selects, so many may be evicted now. */
export type Budget = {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly selects: (labels: ReadonlyMap<string, string>) => boolean
  readonly allowed: number
}

/** Told synchronously, in the order of the changes; must not throw and must not change the facts. */
export interface FactListener {
  controllerChanged(uid: string): void
  /** `API/NAMESPACE/NAME` is new, gone, or different. */
  podGroupChanged?(key: string): void
  budgetChanged?(): void
}

/** What objects besides pods and nodes say about them. */
export class Facts {
  readonly #controllers = new Map<string, number | undefined>()
  /** By `API/NAMESPACE/NAME`. */
  readonly #podGroups = new Map<string, PodGroup>()
  readonly #budgets = new Map<string, Budget>()
  readonly #listeners: FactListener[] = []

  subscribe(listener: FactListener): void {
    this.#listeners.push(listener)
  }

  controllerSize(uid: string): number | undefined {
    return this.#controllers.get(uid)
  }

  /** The PodGroup `API/NAMESPACE/NAME`. */
  podGroup(key: string): PodGroup | undefined {
    return this.#podGroups.get(key)
  }

  budgets(): Iterable<Budget> {
    return this.#budgets.values()
  }

  setController({ uid, size }: ControllerSize): void {
    if (this.#controllers.has(uid) && this.#controllers.get(uid) === size) return
    this.#controllers.set(uid, size)
    for (const listener of this.#listeners) listener.controllerChanged(uid)
  }

  removeController(uid: string): void {
    if (!this.#controllers.delete(uid)) return
    for (const listener of this.#listeners) listener.controllerChanged(uid)
  }

  /** `group` is undefined once the object is gone. */
  setPodGroup(key: string, group: PodGroup | undefined): void {
    if (this.#podGroups.get(key) === group) return
    if (group) this.#podGroups.set(key, group)
    else this.#podGroups.delete(key)
    for (const listener of this.#listeners) listener.podGroupChanged?.(key)
  }

  /** The whole set after a list: what is not in it is gone. */
  replaceBudgets(budgets: readonly Budget[]): void {
    this.#budgets.clear()
    for (const budget of budgets) this.#budgets.set(budget.uid, budget)
    this.#tellBudget()
  }

  setBudget(budget: Budget): void {
    this.#budgets.set(budget.uid, budget)
    this.#tellBudget()
  }

  removeBudget(uid: string): void {
    if (this.#budgets.delete(uid)) this.#tellBudget()
  }

  #tellBudget(): void {
    for (const listener of this.#listeners) listener.budgetChanged?.()
  }
}
