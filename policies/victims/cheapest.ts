import type { Allowance } from './allowance.ts'
import { compareCosts, type Cost, nothing, plus } from './cost.ts'
import type { Step } from './steps.ts'
import type { Trial } from './trial.ts'

/** Looks at the trial; a node that is asked by a plan counts for half of one. */
const budget = 5_000

export type Cheapest = { readonly steps: readonly Step[] | undefined; readonly isProven: boolean }

/**
 * Of all sets of these steps after which the members fit, the cheapest: `known` where none is cheaper. Branch and bound
 * within a budget; `isProven` says that it came to its end. None of the steps is taken before or after.
 */
export function cheapest(
  trial: Trial,
  allowance: Allowance,
  { steps, known }: { readonly steps: readonly Step[]; readonly known: readonly Step[] | undefined }
): Cheapest {
  const search = new Search(trial, allowance, known)
  trial.focus(steps)
  trial.takeAll(steps)
  const open = new Set(steps)
  const chains = [...new Set(steps.toReversed().map(step => step.chain))]
  search.visit(
    chains.map(chain => chain.filter(step => open.has(step))),
    { going: [], cost: nothing }
  )
  trial.putAll(steps)
  return { steps: search.best, isProven: search.looks <= budget }
}

type Decided = { readonly going: readonly Step[]; readonly cost: Cost }

/** What such a set of steps costs. */
export function total(steps: readonly Step[]): Cost {
  return steps.reduce((sum, step) => plus(sum, step.cost), nothing)
}

class Search {
  best: readonly Step[] | undefined
  looks = 0
  #least: Cost | undefined
  readonly #trial: Trial
  readonly #allowance: Allowance

  constructor(trial: Trial, allowance: Allowance, known: readonly Step[] | undefined) {
    this.#trial = trial
    this.#allowance = allowance
    this.best = known
    this.#least = known && total(known)
  }

  /** Decides how many steps of the first chain go; all of the open ones are taken, and the members fit. */
  visit([chain, ...others]: readonly (readonly Step[])[], { going, cost }: Decided): void {
    if (!chain) {
      this.best = going
      this.#least = cost
      return
    }
    for (let level = 0; level <= chain.length && this.looks <= budget; level++) {
      const goes = chain.slice(0, level)
      const next = { going: [...going, ...goes], cost: plus(cost, total(goes)) }
      if (!this.#isCheaper(next.cost) || !this.#allowance.allows(next.going)) return
      const stays = chain.slice(level)
      this.#trial.putAll(stays)
      if (level === chain.length || this.#fits()) this.visit(others, next)
      this.#trial.takeAll(stays)
    }
  }

  #isCheaper(cost: Cost): boolean {
    return this.#least === undefined || compareCosts(cost, this.#least) < 0
  }

  #fits(): boolean {
    const before = this.#trial.asked
    const fits = this.#trial.fits()
    this.looks += 1 + (this.#trial.asked - before) / 2
    return fits
  }
}
