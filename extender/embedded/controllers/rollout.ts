import { type IntOrString, referenceTo, type Workload } from '../kinds.ts'
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

const specOf = (sets: readonly Workload[]): number => sum(sets, set => set.spec.replicas ?? 0)
const sum = (sets: readonly Workload[], of: (set: Workload) => number): number =>
  sets.reduce((total, set) => total + of(set), 0)
const availableOf = (set: Workload): number => Number(set.status?.['availableReplicas'] ?? 0)
const replicasOf = (set: Workload): number => Number(set.status?.['replicas'] ?? 0)

/** What size the newest ReplicaSet may have, given the others. */
export function sizeOf(deployment: Workload, newest: Workload | undefined, old: readonly Workload[]): number {
  const wanted = deployment.spec.replicas ?? 1
  const has = newest?.spec.replicas ?? 0
  if (strategyOf(deployment).type === 'Recreate') return old.some(set => !isEmpty(set)) ? has : wanted
  if (has >= wanted) return wanted
  const room = wanted + limitsOf(deployment).maxSurge - specOf(old) - has
  return has + Math.max(0, Math.min(room, wanted - has))
}

const isEmpty = (set: Workload): boolean => (set.spec.replicas ?? 0) === 0 && replicasOf(set) === 0

/** One step of a rollout: the newest as large as it may be, the others as small as they may be. */
export function roll(
  shared: Shared,
  deployment: Workload,
  { newest, old }: { readonly newest: Workload; readonly old: readonly Workload[] }
): void {
  const grown = scaleTo(shared, deployment, newest, sizeOf(deployment, newest, old))
  if (strategyOf(deployment).type === 'Recreate') {
    for (const set of old) scaleTo(shared, deployment, set, 0)
    return
  }
  const { maxUnavailable } = limitsOf(deployment)
  const minAvailable = (deployment.spec.replicas ?? 1) - maxUnavailable
  const unavailableNew = (grown.spec.replicas ?? 0) - availableOf(grown)
  let spare = specOf(old) + (grown.spec.replicas ?? 0) - minAvailable - unavailableNew
  const shrunk = old.map(set => {
    const broken = Math.max(0, Math.min(spare, (set.spec.replicas ?? 0) - availableOf(set)))
    spare -= broken
    return { set, size: (set.spec.replicas ?? 0) - broken }
  })
  let surplus = sum([...old, grown], availableOf) - minAvailable
  for (const { set, size } of shrunk) {
    const less = Math.max(0, Math.min(surplus, size))
    surplus -= less
    scaleTo(shared, deployment, set, size - less)
  }
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
