import type { Step } from './steps.ts'
import type { Trial } from './trial.ts'

/**
 * Puts back whoever is not needed, the dearest first, until nobody who is left can be spared; these are returned.
 * `going` are the steps that the trial has taken and is focussed on; the members fit.
 */
export function spared(trial: Trial, going: readonly Step[]): readonly Step[] {
  for (const step of going.toSorted((a, b) => b.rank - a.rank)) {
    const later = step.chain[step.level + 1]
    if (later && trial.isTaken[later.id]) continue
    trial.put(step)
    if (!trial.fits()) trial.take(step)
  }
  return going.filter(step => trial.isTaken[step.id])
}
