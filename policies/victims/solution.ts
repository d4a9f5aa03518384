import type { Allowance } from './allowance.ts'
import { cheapest, total } from './cheapest.ts'
import { cleared } from './clearing.ts'
import { compareCosts } from './cost.ts'
import type { Pool } from './pools.ts'
import { spared } from './sparing.ts'
import type { Step } from './steps.ts'
import type { Trial } from './trial.ts'

/** Among so many steps the very cheapest set is searched for. */
const few = 32
/** With more kinds of members than that no member is placed for itself where it is cheapest. */
const mostKinds = 8

/** The cheapest steps of the pool that were found, nobody to spare; undefined where budgets let none be enough. */
export function solved(trial: Trial, allowance: Allowance, pool: Pool): readonly Step[] | undefined {
  const known = placed(trial, allowance, pool) ?? shortest(trial, allowance, pool.steps)
  if (pool.steps.length > few) return known
  const found = cheapest(trial, allowance, { steps: pool.steps, known })
  if (found.isProven || !found.steps) return found.steps
  trial.takeAll(found.steps)
  trial.focus(found.steps)
  const left = spared(trial, found.steps)
  trial.putAll(left)
  return left
}

/** Where the members are placed one by one; with budgets also so that scarce ones last. */
function placed(trial: Trial, allowance: Allowance, { steps, hard }: Pool): readonly Step[] | undefined {
  if (hard.length > mostKinds) return undefined
  let best: readonly Step[] | undefined
  for (const isFrugal of allowance.isLimited ? [false, true] : [false]) {
    const going = cleared(trial, { open: steps, hard, allowance, isFrugal })
    if (!going) continue
    trial.focus(going)
    const left = trial.fits() ? spared(trial, going) : undefined
    trial.putAll(going)
    if (left && (!best || compareCosts(total(left), total(best)) < 0)) best = left
  }
  return best
}

/** The first steps in their turn that are enough, as far as budgets allow them, without those that prove needless. */
function shortest(trial: Trial, allowance: Allowance, steps: readonly Step[]): readonly Step[] | undefined {
  const legal = allowedOf(allowance, steps)
  trial.takeAll(legal)
  trial.focus(legal)
  const left = trial.fits() ? spared(trial, enough(trial, legal)) : undefined
  trial.putAll(legal)
  return left
}

/** As few of the first as are enough; all are taken, and they are. */
function enough(trial: Trial, steps: readonly Step[]): readonly Step[] {
  let [low, high, now] = [0, steps.length, steps.length]
  while (low < high) {
    const middle = (low + high) >> 1
    trial.putAll(steps.slice(middle, now))
    trial.takeAll(steps.slice(now, middle))
    now = middle
    if (trial.fits()) high = middle
    else low = middle + 1
  }
  trial.takeAll(steps.slice(now, high))
  return steps.slice(0, high)
}

/** Those that may all go together, each passed over that a budget forbids. */
function allowedOf(allowance: Allowance, steps: readonly Step[]): readonly Step[] {
  const legal = new Set<Step>()
  for (const step of steps) {
    const before = step.chain[step.level - 1]
    if ((before && !legal.has(before)) || !allowance.allows([step])) continue
    legal.add(step)
    allowance.take(step)
  }
  for (const step of legal) allowance.put(step)
  return [...legal]
}
