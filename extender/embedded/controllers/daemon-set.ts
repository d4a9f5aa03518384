import {
  isActive,
  isFinished,
  isLeaving,
  keyOf,
  type Node,
  type NodeTerm,
  type Pod,
  type Toleration,
  uidOf,
  type Workload
} from '../kinds.ts'
import { nodeMatches, tolerates } from '../selectors.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { hashOf } from './hash.ts'
import { claimPods, deletePod, podFrom, tally, untilAvailable } from './pods.ts'
import { shareOf } from './rollout.ts'
import { writeStatus } from './status.ts'

const resource = 'daemonsets.apps'
const hashLabel = 'controller-revision-hash'

/** What every daemon tolerates, so that it stays on nodes that others have to leave. */
const tolerations: readonly Toleration[] = [
  ...['not-ready', 'unreachable'].map(name => ({
    key: `node.kubernetes.io/${name}`,
    operator: 'Exists',
    effect: 'NoExecute'
  })),
  ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map(name => ({
    ...{ key: `node.kubernetes.io/${name}`, operator: 'Exists', effect: 'NoSchedule' }
  }))
]

/** Keeps one pod on each node that fits. */
export function openDaemonSets(shared: Shared, looks: Looks): Controller {
  const sets = shared.informer(resource)
  const all = (): void => {
    for (const key of sets.keys()) looks.add(key)
  }
  sets.onChange(({ object }) => object && looks.add(keyOf(object)))
  shared.nodes.onChange(({ previous, object }) => (differs(previous, object) ? all() : undefined))
  shared.pods.onChange(change => {
    for (const pod of bothOf(change)) {
      const owner = pod.metadata.ownerReferences?.find(({ kind }) => kind === 'DaemonSet')
      if (owner !== undefined) looks.add(`${pod.metadata.namespace}/${owner.name}`)
    }
  })
  return {
    name: 'daemon-set',
    keys: () => sets.keys(),
    reconcile(key) {
      const set = sets.get(key)
      if (set === undefined || isLeaving(set)) return
      const again = look(shared, set)
      if (again !== undefined) looks.addAfter(key, again)
    }
  }
}

/** Heartbeats do not concern daemons. */
const differs = (one: Node | undefined, other: Node | undefined): boolean =>
  one?.spec !== other?.spec || one?.metadata.labels !== other?.metadata.labels

function look(shared: Shared, set: Workload): number | undefined {
  const hash = hashOf(set.spec.template)
  const pods = claimPods(shared, set)
  const byNode = Map.groupBy(pods, targetOf)
  const nodes = [...shared.nodes.all()].filter(node => runsOn(set, node))
  const wanted = new Set(nodes.map(node => node.metadata.name))
  for (const pod of pods) if (!wanted.has(targetOf(pod)) || isFinished(pod)) deletePod(shared, pod)
  for (const name of wanted) {
    const [, ...surplus] = byNode.get(name)?.filter(isActive) ?? []
    for (const pod of surplus) deletePod(shared, pod)
    if (byNode.get(name) === undefined) shared.client.create('pods', podOn(set, name, hash))
  }
  replaceOld(shared, set, { pods: pods.filter(isActive), hash, wanted: wanted.size })
  return tellStatus(shared, set, wanted, hash)
}

const requiredTerms = ({ spec }: Pod): readonly NodeTerm[] =>
  spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []

/** The node that a daemon is meant for, bound there or not. */
function targetOf(pod: Pod): string {
  return pod.spec.nodeName ?? requiredTerms(pod)[0]?.matchFields?.[0]?.values?.[0] ?? ''
}

function runsOn(set: Workload, node: Node): boolean {
  const { spec } = set.spec.template
  if (!nodeMatches({ spec }, node)) return false
  const all = [...(spec.tolerations ?? []), ...tolerations]
  const hard = (node.spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule')
  return hard.every(taint => all.some(toleration => tolerates(toleration, taint)))
}

function podOn(set: Workload, node: string, hash: string): Pod {
  const pod = podFrom(set.spec.template, set, { labels: { [hashLabel]: hash } })
  const own = requiredTerms(pod)
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }]
  const required = { nodeSelectorTerms: (own.length === 0 ? [{}] : own).map(term => ({ ...term, matchFields })) }
  const nodeAffinity = {
    ...pod.spec.affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: required
  }
  return {
    ...pod,
    spec: {
      ...pod.spec,
      affinity: { ...pod.spec.affinity, nodeAffinity },
      tolerations: [...(pod.spec.tolerations ?? []), ...tolerations]
    }
  }
}

type Rollout = { readonly pods: readonly Pod[]; readonly hash: string; readonly wanted: number }

/** Deletes daemons of an old template, no more at a time than may be unavailable. */
function replaceOld(shared: Shared, set: Workload, { pods, hash, wanted }: Rollout): void {
  const { type, rollingUpdate } = (set.spec['updateStrategy'] ?? {}) as {
    readonly type?: string
    readonly rollingUpdate?: { readonly maxUnavailable?: number | string }
  }
  if (type === 'OnDelete') return
  const limit = Math.max(1, shareOf(rollingUpdate?.maxUnavailable ?? 1, wanted, 'up'))
  const now = shared.clock.wall()
  const isAvailable = (pod: Pod): boolean => untilAvailable(pod, set.spec.minReadySeconds ?? 0, now) === 0
  const old = pods.filter(pod => pod.metadata.labels?.[hashLabel] !== hash)
  const broken = old.filter(pod => !isAvailable(pod))
  for (const pod of broken) deletePod(shared, pod)
  const room = limit - (wanted - pods.filter(isAvailable).length)
  for (const pod of old.filter(isAvailable).slice(0, Math.max(0, room))) deletePod(shared, pod)
}

function tellStatus(shared: Shared, set: Workload, wanted: ReadonlySet<string>, hash: string): number | undefined {
  const pods = shared.pods.by('owner', uidOf(set)).filter(isActive)
  const there = pods.filter(pod => wanted.has(targetOf(pod)))
  const { ready, available, again } = tally(there, set.spec.minReadySeconds ?? 0, shared.clock.wall())
  const unavailable = wanted.size - available
  const updated = there.filter(pod => pod.metadata.labels?.[hashLabel] === hash).length
  writeStatus(shared, resource, set, {
    currentNumberScheduled: there.length,
    numberMisscheduled: pods.length - there.length,
    desiredNumberScheduled: wanted.size,
    numberReady: ready,
    observedGeneration: set.metadata.generation ?? 1,
    ...(updated > 0 && { updatedNumberScheduled: updated }),
    ...(available > 0 && { numberAvailable: available }),
    ...(unavailable > 0 && { numberUnavailable: unavailable })
  })
  return again
}
