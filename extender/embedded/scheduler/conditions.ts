import { isDeepStrictEqual } from 'node:util'
import type { Json as ObjectJson, KubeObject } from '../store/objects.ts'
import { object, objects } from './json.ts'

export type PodCondition = {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

/** The pod's conditions with this one in its place; undefined where that changes nothing (upstream `UpdatePodCondition`). */
export function withCondition(pod: KubeObject, condition: PodCondition): readonly ObjectJson[] | undefined {
  const known = objects(object(pod.status).conditions)
  const before = known.find(({ type }) => type === condition.type)
  const lastTransitionTime =
    before?.status === condition.status && typeof before.lastTransitionTime === 'string'
      ? before.lastTransitionTime
      : condition.lastTransitionTime
  const { generation } = pod.metadata
  const after = {
    ...(generation !== undefined && { observedGeneration: generation }),
    lastProbeTime: null,
    ...condition,
    lastTransitionTime
  }
  if (before && isDeepStrictEqual({ ...after, ...before }, after)) return undefined
  const others = known.filter(({ type }) => type !== condition.type)
  return [...others, after] as readonly ObjectJson[]
}
