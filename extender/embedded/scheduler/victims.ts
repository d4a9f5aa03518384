import { joined } from '../../../policies/snapshot.ts'
import type { KubeObject } from '../store/objects.ts'
import { selects } from '../selectors.ts'
import type { LabelSelector } from '../kinds.ts'
import { entryOf } from './cache.ts'
import type { Victims } from './extender.ts'
import type { NodeStatus } from './diagnosis.ts'
import type { InTree } from './in-tree.ts'
import { object, text } from './json.ts'
import type { Nominator } from './nominator.ts'
import type { NodeEntry, PodView } from './views.ts'

export type DryRun = {
  readonly inTree: InTree
  readonly nominator: Nominator
  readonly budgets: readonly KubeObject[]
}

/** Whom to evict from a node so that a pod fits: everybody below it, and spared again from the most important down. */
export function victimsOn(entry: NodeEntry, preemptor: PodView, run: DryRun): Victims | NodeStatus {
  const { priority } = preemptor.pod
  const lower = entry.pods.filter(({ pod }) => pod.priority < priority)
  if (lower.length === 0)
    return { code: 'UnschedulableAndUnresolvable', reasons: ['No preemption victims found for incoming pod'] }
  const nominated = run.nominator.above(preemptor, entry.node.name)
  const others = entry.pods.filter(view => !lower.includes(view))
  let left = entryOf(entry, others).info
  const refusal = run.inTree.refusal(preemptor.pod, left, nominated)
  if (refusal) return refusal
  const { violating, harmless } = byBudget(lower.toSorted(byImportance), run.budgets)
  const victims: PodView[] = []
  for (const view of [...violating, ...harmless]) {
    const withIt = joined(left, view.pod)
    if (run.inTree.refusal(preemptor.pod, withIt, nominated)) victims.push(view)
    else left = withIt
  }
  return {
    pods: victims.toSorted(byImportance),
    violations: violating.filter(view => victims.includes(view)).length
  }
}

/** 1. Higher priority first. 2. Then whoever runs longer. 3. Then by uid, so that runs repeat. */
function byImportance(a: PodView, b: PodView): number {
  return b.pod.priority - a.pod.priority || startOf(a) - startOf(b) || (a.pod.uid < b.pod.uid ? -1 : 1)
}

/** When a pod began to run; one that has not counts as beginning now. */
export function startOf({ object: pod }: PodView): number {
  const start = Date.parse(text(object(pod.status).startTime))
  return Number.isNaN(start) ? Number.MAX_SAFE_INTEGER : start
}

/** Whose eviction a disruption budget would forbid, and whose not; the order stays. */
function byBudget(
  victims: readonly PodView[],
  budgets: readonly KubeObject[]
): { readonly violating: readonly PodView[]; readonly harmless: readonly PodView[] } {
  const allowed = budgets.map(budget => {
    const { disruptionsAllowed } = object(budget.status)
    return { budget, left: typeof disruptionsAllowed === 'number' ? disruptionsAllowed : 0 }
  })
  const violates = (view: PodView): boolean =>
    allowed.filter(({ budget }) => covers(budget, view)).reduce((breaks, each) => --each.left < 0 || breaks, false)
  const groups = Map.groupBy(victims, violates)
  return { violating: groups.get(true) ?? [], harmless: groups.get(false) ?? [] }
}

function covers(budget: KubeObject, { object: pod, pod: { namespace, name } }: PodView): boolean {
  const { labels = {} } = pod.metadata
  const selector = object(budget.spec).selector as LabelSelector | undefined
  if (budget.metadata.namespace !== namespace || Object.keys(labels).length === 0 || isEmpty(selector)) return false
  return selects(selector, labels) && !(name in object(object(budget.status).disruptedPods))
}

/** Here, unlike elsewhere, an empty selector matches nothing (upstream `filterPodsWithPDBViolation`). */
function isEmpty(selector: LabelSelector | undefined): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  return Object.keys(matchLabels).length + matchExpressions.length === 0
}
