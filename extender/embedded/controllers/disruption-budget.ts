import {
  type Condition,
  controllerOf,
  type IntOrString,
  isActive,
  isLeaving,
  isReady,
  keyOf,
  type LabelSelector,
  type Pod,
  timestamp,
  type Workload
} from '../kinds.ts'
import { selects } from '../selectors.ts'
import type { KubeObject } from '../store/objects.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { shareOf } from './rollout.ts'
import { withCondition, writeStatus } from './status.ts'

type Budget = KubeObject & {
  readonly spec: {
    readonly selector?: LabelSelector
    readonly minAvailable?: IntOrString
    readonly maxUnavailable?: IntOrString
  }
  readonly status?: {
    readonly disruptedPods?: Readonly<Record<string, string>>
    readonly conditions?: readonly Condition[]
  }
}

const resource = 'poddisruptionbudgets.policy'
/** An eviction that has not led to a deletion by then did not happen. */
const evictionMs = 120_000

/** Keeps in each budget how many of its pods may be evicted now. */
export function openDisruptionBudgets(shared: Shared, looks: Looks): Controller {
  const budgets = shared.informer<Budget>(resource)
  budgets.onChange(({ object }) => object && looks.add(keyOf(object)))
  shared.pods.onChange(change => {
    const pods = bothOf(change)
    for (const budget of budgets.by('namespace', pods[0]?.metadata.namespace ?? 'default'))
      if (pods.some(pod => selects(budget.spec.selector, pod.metadata.labels))) looks.add(keyOf(budget))
  })
  for (const name of ['replicasets.apps', 'deployments.apps', 'statefulsets.apps'])
    shared.informer(name).onChange(({ object }) => {
      for (const budget of budgets.by('namespace', object?.metadata.namespace ?? 'default')) looks.add(keyOf(budget))
    })
  return {
    name: 'disruption-budget',
    keys: () => budgets.keys(),
    reconcile(key) {
      const budget = budgets.get(key)
      if (budget === undefined || isLeaving(budget)) return
      const again = look(shared, budget)
      if (again !== undefined) looks.addAfter(key, again)
    }
  }
}

function look(shared: Shared, budget: Budget): number | undefined {
  const { namespace = 'default', generation = 1 } = budget.metadata
  const pods = shared.pods
    .by('namespace', namespace)
    .filter(pod => isActive(pod) && selects(budget.spec.selector, pod.metadata.labels))
  const now = shared.clock.wall()
  const disrupted = disruptedOf(shared, budget, now)
  const healthy = pods.filter(pod => isReady(pod) && disrupted[pod.metadata.name] === undefined).length
  const { expected, desired } = demandOf(shared, budget, pods)
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0
  const condition = { ...(allowed > 0 ? sufficient : insufficient), observedGeneration: generation }
  const times = Object.values(disrupted)
  writeStatus(shared, resource, budget, {
    observedGeneration: generation,
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
    ...(times.length > 0 && { disruptedPods: disrupted }),
    conditions: withCondition(budget.status?.conditions, condition, timestamp(now))
  })
  return times.length === 0 ? undefined : Math.max(1, Math.min(...times.map(Date.parse)) + evictionMs - now)
}

const type = 'DisruptionAllowed'
const sufficient: Condition = { type, status: 'True', reason: 'SufficientPods', message: '' }
const insufficient: Condition = { type, status: 'False', reason: 'InsufficientPods', message: '' }

/** The pods whose eviction was granted, and that are not going yet. */
function disruptedOf(shared: Shared, budget: Budget, now: number): Readonly<Record<string, string>> {
  const all = Object.entries(budget.status?.disruptedPods ?? {})
  const still = all.filter(([name, time]) => {
    const pod = shared.pods.get(`${budget.metadata.namespace ?? 'default'}/${name}`)
    return pod !== undefined && !isLeaving(pod) && Date.parse(time) + evictionMs > now
  })
  return Object.fromEntries(still)
}

/** How many pods there should be, and how many of them have to be healthy. */
function demandOf(
  shared: Shared,
  { spec }: Budget,
  pods: readonly Pod[]
): { readonly expected: number; readonly desired: number } {
  const { minAvailable, maxUnavailable } = spec
  if (typeof minAvailable === 'number') return { expected: pods.length, desired: minAvailable }
  const expected = expectedOf(shared, pods)
  if (minAvailable !== undefined) return { expected, desired: shareOf(minAvailable, expected, 'up') }
  return { expected, desired: Math.max(0, expected - shareOf(maxUnavailable ?? 0, expected, 'up')) }
}

/** The sum of what the pods' owners ask for; a pod without one that has a size counts for itself. */
function expectedOf(shared: Shared, pods: readonly Pod[]): number {
  const sizes = new Map<string, number>()
  for (const pod of pods) {
    const owner = ownerOf(shared, pod)
    if (owner === undefined) sizes.set(`pod ${pod.metadata.name}`, 1)
    else sizes.set(owner.metadata.uid ?? '', owner.spec.replicas ?? 1)
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}

function ownerOf(shared: Shared, object: KubeObject): Workload | undefined {
  const owner = controllerOf(object)
  const names: Readonly<Record<string, string>> = {
    ReplicaSet: 'replicasets.apps',
    Deployment: 'deployments.apps',
    StatefulSet: 'statefulsets.apps'
  }
  const resource = owner === undefined ? undefined : names[owner.kind]
  if (owner === undefined || resource === undefined) return undefined
  const found = shared.informer(resource).get(`${object.metadata.namespace ?? 'default'}/${owner.name}`)
  if (found === undefined || found.metadata.uid !== owner.uid) return undefined
  return ownerOf(shared, found) ?? found
}
