import { gangs, kubernetes, verbs } from './metrics.ts'
import type { Queries } from './queries.ts'

type Rates = {
  /** All that counts, per second. */
  readonly total: string
  /** Of these, what went wrong. */
  readonly bad: string
}

/** A promise to whoever schedules with muster, and how its breach is measured. */
export type Slo = {
  /** Part of the names of rules and alerts. */
  readonly name: string
  readonly promise: string
  /** Which share is good, in the long run. */
  readonly objective: number
  /** By these labels, over that time. */
  rates(queries: Queries, slice: { readonly by?: readonly 'job'[]; readonly over?: string }): Rates
}

/** These answer at once; bind waits for the rest of the gang. */
const lookUps = ['filter', 'prioritize', 'preempt'] as const
const answerSeconds = 0.1
const placementSeconds = 30

export const lookUpSlo: Slo = {
  name: 'look_ups',
  promise: '99.9 % of filter, prioritize and preempt calls are answered within 100 ms, by a muster that is ready.',
  objective: 0.999,
  rates(queries, slice) {
    const where = { verb: lookUps }
    const total = queries.observed(verbs.duration, { ...slice, where })
    const prompt = queries.within(verbs.duration, answerSeconds, { ...slice, where })
    const failed = queries.rate(verbs.requests, { ...slice, where: { ...where, outcome: ['error', 'not_ready'] } })
    return { total, bad: `(${total} - ${prompt} + ${failed})` }
  }
}

export const bindSlo: Slo = {
  name: 'binds',
  promise: '99.9 % of bindings that muster asks for are made, as far as the API server allows them.',
  objective: 0.999,
  rates(queries, slice) {
    const ours = ['bound', 'elsewhere', 'unknown', 'late'] as const
    return {
      total: queries.rate(kubernetes.binds, { ...slice, where: { result: ours } }),
      bad: queries.rate(kubernetes.binds, { ...slice, where: { result: ours.slice(1) } })
    }
  }
}

export const startSlo: Slo = {
  name: 'starts',
  promise: '99 % of gangs are on their nodes within 30 s once their room is held and free.',
  objective: 0.99,
  rates(queries, slice) {
    const total = queries.observed(gangs.placementDuration, slice)
    return { total, bad: `(${total} - ${queries.within(gangs.placementDuration, placementSeconds, slice)})` }
  }
}

export const slos: readonly Slo[] = [lookUpSlo, bindSlo, startSlo]
