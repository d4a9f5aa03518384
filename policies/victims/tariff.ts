import type { Allowance } from './allowance.ts'
import type { Step } from './steps.ts'
import type { Trial } from './trial.ts'

/** What is paid for room: 1. Of scarce budgets. 2. Gangs ended whole. 3. Lost work. 4. Pods. */
export type Price = readonly [scarcity: number, gangs: number, lostWork: number, pods: number]

/** Nobody goes. */
export const free: Price = [0, 0, 0, 0]

/** Below zero where `a` is cheaper. */
export function comparePrices(a: Price, b: Price): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3]
}

export type TariffOptions = {
  /** Steps that may be taken. */
  readonly open: readonly Step[]
  readonly allowance: Allowance
  /** Whether the pods of scarce disruption budgets are spared before all else. */
  readonly isFrugal: boolean
}

/** Tells what it costs just now to take a step. Steps are known by their numbers, their costs stand in flat arrays. */
export class Tariff {
  readonly #trial: Trial
  readonly #allowance: Allowance
  readonly #isFrugal: boolean
  readonly #isOpen: Float64Array
  readonly #ranks: Float64Array
  readonly #levels: Float64Array
  readonly #gangs: Float64Array
  readonly #lostWork: Float64Array
  readonly #pods: Float64Array
  /** How many of its pods stand where members may stand. */
  readonly #places: Float64Array

  constructor(trial: Trial, { open, allowance, isFrugal }: TariffOptions) {
    const column = (value: (step: Step) => number): Float64Array => {
      const values = new Float64Array(trial.steps.length)
      for (const step of open) values[step.id] = value(step)
      return values
    }
    this.#trial = trial
    this.#allowance = allowance
    this.#isFrugal = isFrugal
    this.#isOpen = column(() => 1)
    this.#ranks = column(step => step.rank)
    this.#levels = column(step => step.level)
    this.#gangs = column(step => step.cost.gangs)
    this.#lostWork = column(step => step.cost.lostWork)
    this.#pods = column(step => step.cost.pods)
    this.#places = column(step => placesOf(trial, step))
  }

  /** Whether the step may be taken at all. */
  isOpen(step: number): boolean {
    return this.#isOpen[step] === 1
  }

  /** Its place among the steps, cheapest first. */
  rankOf(step: number): number {
    return this.#ranks[step] ?? 0
  }

  /** The step with those before it that are not taken yet. */
  closure(step: number): readonly number[] {
    const first = this.#first(step)
    return Array.from({ length: step - first + 1 }, (_, index) => first + index)
  }

  /** Whether no budget forbids that these go as well. */
  allows(steps: readonly number[]): boolean {
    return !this.#allowance.isLimited || this.#allowance.allows(this.#known(steps))
  }

  /**
   * The price of the step with those before it, undefined where a budget forbids it. A step that makes room at other
   * nodes as well is paid for there, too: each node has its share by the number of pods that go from it, here so many,
   * as long as there are members left for all of them.
   */
  priceOf(step: number, here: number, left: number): Price | undefined {
    let [gangs, lostWork, pods, all] = [0, 0, 0, 0]
    for (let each = this.#first(step); each <= step; each++) {
      gangs += this.#gangs[each] ?? 0
      lostWork += this.#lostWork[each] ?? 0
      pods += this.#pods[each] ?? 0
      all += this.#places[each] ?? 0
    }
    const scarcity = this.#allowance.isLimited ? this.#scarcityOf(step) : 0
    const share = Math.max(here / all, 1 / left)
    return scarcity === undefined ? undefined : [scarcity, gangs * share, lostWork * share, pods * share]
  }

  #scarcityOf(step: number): number | undefined {
    const steps = this.#known(this.closure(step))
    if (!this.#allowance.allows(steps)) return undefined
    return this.#isFrugal ? this.#allowance.scarcity(steps) : 0
  }

  #first(step: number): number {
    const start = step - (this.#levels[step] ?? 0)
    let first = step
    while (first > start && !this.#trial.isTaken[first - 1]) first -= 1
    return first
  }

  #known(steps: readonly number[]): readonly Step[] {
    return steps.flatMap(step => this.#trial.steps[step] ?? [])
  }
}

function placesOf({ ground: { lots } }: Trial, { id }: Step): number {
  let places = 0
  for (let lot = lots.from[id] ?? 0; lot < (lots.from[id + 1] ?? 0); lot++) places += lots.countOf[lot] ?? 0
  return places
}
