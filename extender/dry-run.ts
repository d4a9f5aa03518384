import { annotations } from '../policies/names.ts'
import { parseDuration } from '../policies/parse.ts'
import { plan } from '../policies/planner.ts'
import { type Actions, type Policy, schedule } from '../policies/schedule.ts'
import { nodeInfo, Snapshot } from '../policies/snapshot.ts'
import { compare, nameOf } from '../policies/text.ts'
import type { Node, Pod } from '../policies/types.ts'
import type { Config } from './config.ts'
import { UsageError } from './errors.ts'
import { isUntouchable } from './gangs/planning/bodies.ts'
import { gatedByOthers, keepsAnnotation } from './gangs/membership/dialects.ts'
import { Profiles, profilesOf } from './gangs/membership/profiles.ts'
import { settingsOf } from './gangs/membership/settings.ts'
import { clusterOf, type Described } from './kubernetes/description.ts'

/** What would be done; pods and gangs are `NAMESPACE/NAME`. */
export type DryRun = {
  readonly preempt: readonly { readonly pod: string; readonly node: string; readonly for: string }[]
  readonly bind: readonly { readonly pod: string; readonly node: string }[]
  /** Who finds no place, the most important first. `reason` is null where many others wait before it. */
  readonly waiting: readonly {
    readonly name: string
    readonly pods: readonly string[]
    readonly reason: string | null
  }[]
  /** Pods that are not planned yet. */
  readonly notReady: readonly { readonly pod: string; readonly reason: string }[]
}

/** For so many who wait it is said why. */
const mostReasons = 100

/** What the plan-based scheduler would do in the cluster that these API objects describe. `now` is wall-clock time. */
export function dryRun(objects: readonly unknown[], config: Config, now: number): DryRun {
  if (!config.onePodPerNode)
    throw new UsageError(
      'muster plan is for one pod to a node; without --one-pod-per-node gangs are planned one by one'
    )
  const cluster = clusterOf(objects, keepsAnnotation)
  if (cluster.nodes.length === 0)
    throw new UsageError('no Node is described; give what kubectl get nodes prints as well')
  const policy = policyOf(config, now)
  const nominated = cluster.pods.flatMap(({ uid, nominatedNodeName: node }): [string, string][] =>
    node ? [[uid, node]] : []
  )
  const actions = schedule(cluster, policy, new Map(nominated))
  return {
    preempt: actions.preempt.map(each => ({
      pod: nameOf(each.pod),
      node: each.pod.nodeName ?? '',
      for: nameOf(each.for)
    })),
    bind: actions.bind.map(({ pod, node }) => ({ pod: nameOf(pod), node })),
    waiting: waitingIn(cluster, actions, policy),
    notReady: notReadyIn(cluster, actions, policy)
  }
}

function policyOf(config: Config, now: number): Policy {
  const byName = profilesOf(config)
  const profiles = new Profiles(byName, namespace => config.priorityCaps.get(namespace) ?? 0)
  const planned = [...byName.values()].find(profile => profile.plansSingles)
  return {
    filters: planned?.filters ?? [],
    groupOf: pod => {
      const said = profiles.of(pod) === planned ? profiles.membership(pod) : undefined
      return said?.problem === undefined ? said : undefined
    },
    rankOf: profiles.rank,
    isProtected: pod => isUntouchable(pod) || isFresh(pod, now),
    preempts: pod => {
      const said = profiles.membership(pod)
      return said !== undefined && settingsOf([{ pod, said }]).preempts
    }
  }
}

function isFresh({ startedAt, annotations: all }: Pod, now: number): boolean {
  const minimum = parseDuration(all.get(annotations.minRuntime) ?? '') ?? 0
  return minimum > 0 && now - (startedAt ?? now) < minimum
}

function waitingIn(
  { nodes, pods }: Described,
  { bind, preempt, waiting }: Actions,
  { filters }: Policy
): DryRun['waiting'] {
  const gone = new Set(preempt.map(({ pod }) => pod.uid))
  const standing = pods.filter(({ uid, nodeName, phase }) => nodeName !== undefined && isLive(phase) && !gone.has(uid))
  const claims = [...standing.map(pod => ({ pod, node: pod.nodeName ?? '' })), ...bind]
  const byNode = Map.groupBy(claims, ({ node }) => node)
  const infos = nodes.map(node => nodeInfo(node, byNode.get(node.name)?.map(({ pod }) => pod) ?? []))
  const snapshot = new Snapshot(infos)
  const profile = { name: '', filters, plansSingles: true, byAnnotation: true, smallerFirst: true }
  return waiting.map((unit, index) => {
    const request = { pods: unit.pods, need: unit.size, refused: new Map() }
    const found = index < mostReasons ? plan(snapshot, request, profile) : undefined
    const reason = found && 'message' in found ? found.message : null
    return { name: nameOf(unit), pods: unit.pods.map(nameOf), reason }
  })
}

const isLive = (phase: Pod['phase']): boolean => phase !== 'Succeeded' && phase !== 'Failed'

function notReadyIn(
  { pods }: { readonly pods: readonly Pod[]; readonly nodes: readonly Node[] },
  { bind, waiting }: Actions,
  { groupOf }: Policy
): DryRun['notReady'] {
  const known = new Set([...bind.map(({ pod }) => pod), ...waiting.flatMap(unit => unit.pods)].map(pod => pod.uid))
  return pods
    .filter(pod => pod.nodeName === undefined && isLive(pod.phase) && !known.has(pod.uid) && groupOf(pod))
    .map(pod => ({ pod: nameOf(pod), reason: reasonFor(pod) }))
    .toSorted((a, b) => compare(a.pod, b.pod))
}

function reasonFor(pod: Pod): string {
  if (pod.terminating) return 'it is being deleted'
  if (gatedByOthers(pod)) return 'a scheduling gate of others keeps it'
  return 'its gang is not complete, or comes first'
}
