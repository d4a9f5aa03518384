import type { Condition } from '../kinds.ts'
import { referenceTo } from '../kinds.ts'
import type { KubeObject } from '../store/objects.ts'
import type { Shared } from './controller.ts'
import { canonical } from './hash.ts'

/** Writes an object's status where it is another than the one it has. */
export function writeStatus(shared: Shared, resource: string, object: KubeObject, status: object): void {
  if (canonical(object['status'] ?? {}) === canonical(status)) return
  // The object may have been written since it was looked at (a finalizer, an annotation): only the status is meant.
  const now = shared.client.get(referenceTo(resource, object))
  if (now === undefined || now.metadata.uid !== object.metadata.uid) return
  shared.client.update(resource, { ...now, status }, 'status')
}

/** The conditions with one of them set; its transition time stays where its status does. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  next: Condition,
  now: string
): readonly Condition[] {
  const all = conditions ?? []
  const before = all.find(condition => condition.type === next.type)
  const lastTransitionTime = before?.status === next.status ? (before.lastTransitionTime ?? now) : now
  const condition = { ...before, ...next, lastTransitionTime }
  return before === undefined ? [...all, condition] : all.map(one => (one === before ? condition : one))
}

/** The conditions without one of them. */
export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): readonly Condition[] {
  return (conditions ?? []).filter(condition => condition.type !== type)
}
