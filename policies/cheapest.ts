import { compareCosts, type Cost, nothing, plus, type Step } from './bodies.ts'
import type { Trial } from './trial.ts'

/**
 * Of all sets of these steps after which the members fit, the cheapest; the trial is left as that set makes it.
 * Undefined where a budget lets no set be enough. Looks at every set, but for those that are too dear, or too few
 * whatever else is added: only for few steps.
 */
export function cheapest(trial: Trial, steps: readonly Step[]): readonly Step[] | undefined {
  const search = new Search(trial, steps)
  search.run()
  for (const step of search.best ?? []) trial.take(step.pods)
  return search.best
}

class Search {
  best: readonly Step[] | undefined
  #least: Cost | undefined
  readonly #trial: Trial
  readonly #steps: readonly Step[]

  constructor(trial: Trial, steps: readonly Step[]) {
    this.#trial = trial
    // The dearest is decided first: where it can be done without, most of the work is saved.
    this.#steps = steps.toReversed()
  }

  run(): void {
    this.#visit(0, [], nothing)
  }

  /** Decides on the step at `index`, given those that go. */
  #visit(index: number, going: readonly Step[], cost: Cost): void {
    if (this.#least && compareCosts(cost, this.#least) >= 0) return
    if (this.#isEnough(going)) {
      this.best = going
      this.#least = cost
      return
    }
    const step = this.#steps[index]
    if (!step || !this.#canBeEnough(index, going)) return
    if (this.#isFree(step, going)) this.#visit(index + 1, going, cost)
    this.#visit(index + 1, [...going, step], plus(cost, step.cost))
  }

  /** A later step of its body that goes takes it along. */
  #isFree({ body, level }: Step, going: readonly Step[]): boolean {
    return !going.some(other => other.body === body && other.level > level)
  }

  #isEnough(going: readonly Step[]): boolean {
    if (!isClosed(going)) return false
    return this.#with(going, () => this.#trial.allows([]) && this.#trial.fits())
  }

  #canBeEnough(index: number, going: readonly Step[]): boolean {
    return this.#with([...going, ...this.#steps.slice(index)], () => this.#trial.mayFit())
  }

  #with(steps: readonly Step[], ask: () => boolean): boolean {
    for (const step of steps) this.#trial.take(step.pods)
    const answer = ask()
    for (const step of steps) this.#trial.put(step.pods)
    return answer
  }
}

/** No step goes without those of its body before it. */
function isClosed(going: readonly Step[]): boolean {
  return going.every(
    ({ body, level }) => level === 0 || going.some(other => other.body === body && other.level === level - 1)
  )
}
