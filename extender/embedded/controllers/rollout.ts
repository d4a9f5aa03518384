import { type IntOrString, isFinished, referenceTo, uidOf, type Workload } from '../kinds.ts'
import type { Shared } from './controller.ts'

const revisionName = 'deployment.kubernetes.io/revision'

/** How many times the Deployment had changed when a ReplicaSet became its newest. */
export const revisionOf = (set: Workload): number => Number(set.metadata.annotations?.[revisionName] ?? 0)

/** What a Deployment's ReplicaSet is annotated with. */
export function annotate(deployment: Workload, revision: number): Readonly<Record<string, string>> {
  const {
    'kubectl.kubernetes.io/last-applied-configuration': _,
    [revisionName]: __,
    ...annotations
  } = deployment.metadata.annotations ?? {}
  const replicas = deployment.spec.replicas ?? 1
  const { maxSurge } = limitsOf(deployment)
  return {
    ...annotations,
    [revisionName]: String(revision),
    'deployment.kubernetes.io/desired-replicas': String(replicas),
    'deployment.kubernetes.io/max-replicas': String(replicas + maxSurge)
  }
}

/** A count, or a share of `total` that is rounded up or down. */
export function shareOf(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  if (!value.endsWith('%')) return Number(value) || 0
  const share = (Number(value.slice(0, -1)) * total) / 100
  return round === 'up' ? Math.ceil(share) : Math.floor(share)
}

type Strategy = {
  readonly type?: string
  readonly rollingUpdate?: { readonly maxSurge?: IntOrString; readonly maxUnavailable?: IntOrString }
}

const strategyOf = (deployment: Workload): Strategy => deployment.spec['strategy'] ?? {}

/** How many pods more and how many available pods fewer than asked for a rollout may have; not both none. */
export function limitsOf(deployment: Workload): { readonly maxSurge: number; readonly maxUnavailable: number } {
  const { type, rollingUpdate } = strategyOf(deployment)
  const total = deployment.spec.replicas ?? 1
  if (type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 }
  const maxSurge = shareOf(rollingUpdate?.maxSurge ?? '25%', total, 'up')
  const maxUnavailable = shareOf(rollingUpdate?.maxUnavailable ?? '25%', total, 'down')
  return { maxSurge, maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : Math.min(maxUnavailable, total) }
}

const sizeOf = (set: Workload): number => set.spec.replicas ?? 0
const specOf = (sets: readonly Workload[]): number => sum(sets, sizeOf)
const sum = (sets: readonly Workload[], of: (set: Workload) => number): number =>
  sets.reduce((total, set) => total + of(set), 0)
/** What was available when the set was last looked at, less what it is about to delete. */
const availableOf = (set: Workload): number => Math.min(sizeOf(set), Number(set.status?.['availableReplicas'] ?? 0))

/** What size the newest ReplicaSet may have, given the others. */
export function roomFor(
  shared: Shared,
  deployment: Workload,
  newest: Workload | undefined,
  old: readonly Workload[]
): number {
  const wanted = deployment.spec.replicas ?? 1
  const has = newest?.spec.replicas ?? 0
  if (strategyOf(deployment).type === 'Recreate') return old.some(set => hasPods(shared, set)) ? has : wanted
  if (has >= wanted) return wanted
  const room = wanted + limitsOf(deployment).maxSurge - specOf(old) - has
  return has + Math.max(0, Math.min(room, wanted - has))
}

const hasPods = (shared: Shared, set: Workload): boolean =>
  sizeOf(set) > 0 || shared.pods.by('owner', uidOf(set)).some(pod => !isFinished(pod))

/** One step of a rollout: the newest as large as it may be, the others as small as they may be. */
export function roll(
  shared: Shared,
  deployment: Workload,
  { newest, old }: { readonly newest: Workload; readonly old: readonly Workload[] }
): void {
  const grown = scaleTo(shared, deployment, newest, roomFor(shared, deployment, newest, old))
  const sizes = strategyOf(deployment).type === 'Recreate' ? old.map(() => 0) : shrink(deployment, grown, old)
  for (const [index, set] of old.entries()) scaleTo(shared, deployment, set, sizes[index] ?? 0)
}

/** How far the old ReplicaSets may shrink: first what is broken in them, then what is more than enough. */
function shrink(deployment: Workload, newest: Workload, old: readonly Workload[]): readonly number[] {
  const minAvailable = (deployment.spec.replicas ?? 1) - limitsOf(deployment).maxUnavailable
  const unavailableNew = sizeOf(newest) - availableOf(newest)
  let most = specOf(old) + sizeOf(newest) - minAvailable - unavailableNew
  const take = (wanted: number): number => {
    const taken = Math.max(0, Math.min(most, wanted))
    most -= taken
    return taken
  }
  const healthy = old.map(set => sizeOf(set) - take(sizeOf(set) - availableOf(set)))
  let surplus = sum([...old, newest], availableOf) - minAvailable
  return healthy.map(size => {
    const taken = take(Math.min(surplus, size))
    surplus -= taken
    return size - taken
  })
}

/** Writes the size of a ReplicaSet where it is another, and tells of it. */
export function scaleTo(shared: Shared, deployment: Workload, set: Workload, replicas: number): Workload {
  const from = set.spec.replicas ?? 0
  if (from === replicas) return set
  const reference = referenceTo('replicasets.apps', set)
  const next = shared.client.patch(reference, { spec: { replicas } }, { type: 'merge' }) as Workload
  const direction = replicas > from ? 'up' : 'down'
  const message = `Scaled ${direction} replica set ${set.metadata.name} from ${from} to ${replicas}`
  shared.events.record(deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message })
  return next
}
