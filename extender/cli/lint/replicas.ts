import { managed } from '../../../policies/names.ts'
import type { Value } from './document.ts'
import { type Found, placeOf, type Rule, text } from './rule.ts'

/** By what the kube-schedulers elect, where they do: kube-scheduler's own words for what is left out. */
function electedBy(root: Value): string | undefined {
  const election = root.field('leaderElection')
  if (election?.field('leaderElect')?.scalar === false) return undefined
  const namespace = text(election, 'resourceNamespace') || 'kube-system'
  return `${namespace}/${text(election, 'resourceName') || 'kube-scheduler'}`
}

/** The resource that the admission policy adds for entries with that verb. */
const wanted = { filterVerb: managed.filter, bindVerb: managed.bind } as const

function* unmarked(entry: Value): Generator<Found> {
  for (const [verb, name] of Object.entries(wanted)) {
    const all = entry.field('managedResources')?.items ?? []
    if (text(entry, verb) === '' || all.some(each => text(each, 'name') === name)) continue
    yield {
      at: placeOf(entry, 'managedResources'),
      problem: `--scope is gangs, and the entry with ${verb} does not manage ${name}`,
      fix: `managedResources: [{name: ${name}, ignoredByScheduler: true}]`
    }
  }
}

/** What `muster serve --lease` and `--scope` ask of kube-scheduler. */
export const replicaRules: readonly Rule[] = [
  {
    name: 'lease',
    severity: 'error',
    why: 'muster acts only while that lease names its host, so it never would',
    *check({ root, lease }) {
      const elected = electedBy(root)
      if (!lease || elected === `${lease.namespace}/${lease.name}`) return
      const said = elected === undefined ? 'leaderElect is false' : `the leader is elected by ${elected}`
      const fix = `leaderElection: {leaderElect: true, resourceNamespace: ${lease.namespace}, resourceName: ${lease.name}}`
      const problem = `--lease is ${lease.namespace}/${lease.name}, and ${said}`
      yield { at: placeOf(root, 'leaderElection'), problem, fix }
    }
  },
  {
    name: 'managed-missing',
    severity: 'error',
    why: 'the admission policy marks pods with that resource, and the verb is called for the wrong ones',
    *check({ muster, scope }) {
      if (scope === 'gangs') for (const entry of muster) yield* unmarked(entry)
    }
  }
]
