import type { Budget } from '../bodies.ts'
import type { Step } from './steps.ts'

/** What the disruption budgets still allow while steps are taken and put back. */
export class Allowance {
  /** By pod uid: its budgets. */
  readonly #budgets = new Map<string, number[]>()
  readonly #left: number[]
  /** How many pods are gone that should not be. */
  #excess = 0
  /** Whether there is any budget. */
  readonly isLimited: boolean

  constructor(budgets: readonly Budget[]) {
    this.isLimited = budgets.length > 0
    this.#left = budgets.map(({ allowed }) => Math.max(0, allowed))
    for (const [index, { uids }] of budgets.entries()) {
      for (const uid of uids) {
        const its = this.#budgets.get(uid)
        if (its) its.push(index)
        else this.#budgets.set(uid, [index])
      }
    }
  }

  take(step: Step): void {
    this.#spend(step, 1)
  }

  put(step: Step): void {
    this.#spend(step, -1)
  }

  /** Whether these may go on top of those taken. */
  allows(steps: readonly Step[]): boolean {
    if (!this.isLimited) return true
    for (const step of steps) this.take(step)
    const isWithin = this.#excess === 0
    for (const step of steps) this.put(step)
    return isWithin
  }

  /** How scarce what these steps use up is: one for the last pod that a budget allows. */
  scarcity(steps: readonly Step[]): number {
    let sum = 0
    for (const step of this.isLimited ? steps : [])
      for (const pod of step.pods)
        for (const budget of this.#budgets.get(pod.uid) ?? []) sum += 1 / Math.max(1, this.#left[budget] ?? 0)
    return sum
  }

  #spend(step: Step, count: 1 | -1): void {
    for (const pod of this.isLimited ? step.pods : []) {
      for (const budget of this.#budgets.get(pod.uid) ?? []) {
        const was = this.#left[budget] ?? 0
        this.#left[budget] = was - count
        this.#excess += Math.max(0, count - was) - Math.max(0, -was)
      }
    }
  }
}
