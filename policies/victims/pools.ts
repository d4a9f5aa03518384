import type { Step } from './steps.ts'
import type { Trial } from './trial.ts'

/** Steps that are enough if all of them are taken, budgets apart. */
export type Pool = {
  /** Cheapest first. */
  readonly steps: readonly Step[]
  /** The kinds of members, those with the fewest places first. */
  readonly hard: readonly number[]
}

/**
 * The steps up to the lowest priority that will do, first without gangs that end; then those up to the next priority,
 * and so on: whatever can be found in an earlier pool is cheaper. The steps come cheapest first; none is taken
 * meanwhile.
 */
export function* pools(trial: Trial, steps: readonly Step[]): Generator<Pool, void> {
  const taken: Step[] = []
  for (const [, tier] of Map.groupBy(steps, step => step.turn.priority)) {
    for (const step of tier) taken.push(step)
    trial.takeAll(taken)
    trial.focus(undefined)
    if (!trial.fits()) continue
    const hard = hardest(trial)
    const ends = taken.filter(step => step.cost.gangs > 0)
    const others = taken.filter(step => step.cost.gangs === 0)
    trial.putAll(ends)
    const isEnough = ends.length > 0 && others.length > 0 && trial.fits()
    trial.putAll(others)
    if (isEnough) yield { steps: others, hard }
    yield { steps: [...taken], hard }
  }
}

function hardest(trial: Trial): readonly number[] {
  return [...trial.totals().entries()].toSorted(([, a], [, b]) => a - b).map(([kind]) => kind)
}
