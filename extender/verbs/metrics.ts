import { Counter, Histogram, type Registry } from 'prom-client'
import type { Answer } from './answer.ts'

const verbs = ['filter', 'prioritize', 'preempt', 'bind'] as const
export type Verb = (typeof verbs)[number]

/** `invalid`: the request was none. `error` at a bind: the pod is not on its node. */
const outcomes = ['ok', 'unschedulable', 'not_ready', 'invalid', 'error'] as const satisfies (
  | Answer['outcome']
  | 'invalid'
)[]

/** What is counted and timed of the calls of kube-scheduler. */
export type VerbMetrics = {
  readonly requests: Counter<'verb' | 'outcome'>
  readonly duration: Histogram<'verb'>
}

/** Declares them on that registry; once per registry. */
export function verbMetrics(registry: Registry): VerbMetrics {
  const registers = [registry]
  const requests = new Counter({
    name: 'muster_requests_total',
    help: 'Calls of kube-scheduler, by verb and by how they were answered.',
    labelNames: ['verb', 'outcome'] as const,
    registers
  })
  const duration = new Histogram({
    name: 'muster_request_duration_seconds',
    help: 'Time to answer a call of kube-scheduler, by verb; at bind this includes the barrier.',
    labelNames: ['verb'] as const,
    // 0.1 is the bound of the service level objective in grafana/.
    buckets: [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32],
    registers
  })
  // From zero on, so that a rate over the first increase is right.
  for (const verb of verbs) {
    duration.zero({ verb })
    for (const outcome of outcomes) requests.inc({ verb, outcome }, 0)
  }
  return { requests, duration }
}

export function isVerb(name: string | undefined): name is Verb {
  return verbs.some(verb => verb === name)
}
