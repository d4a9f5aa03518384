import { annotations, labels } from '../../labels.ts'
import { object, text } from '../../../json.ts'
import { time } from '../json.ts'
import { observed } from '../pod-facts.ts'
import type { Json, PoolSize } from '../ports.ts'

/** What a pod that is made ahead of need is for. */
export type Way = PoolSize['way']

/** A pod that was made ahead of need. */
export type PoolPod = {
  readonly name: string
  readonly uid: string
  readonly version: string
  readonly way: Way
  readonly template: string
  /** No sandbox has it yet. */
  readonly isIdle: boolean
  /** Differs where it was made from something else than what the template is now. */
  readonly make: string
  readonly node: string
  readonly ip: string
  readonly createdAt: number
  /** When its kubelet took it in. */
  readonly startedAt: number | undefined
  readonly isReady: boolean
  /** It runs no more, or never will. */
  readonly isBroken: boolean
  readonly isLeaving: boolean
}

/** Reads a pod; undefined where it was not made ahead of need. */
export function poolPodOf(pod: Json): PoolPod | undefined {
  const metadata = object(pod.metadata)
  const own = object(metadata.labels)
  const [name, uid, way] = [text(metadata.name), text(metadata.uid), wayIn(own)]
  if (name === undefined || uid === undefined || way === undefined) return undefined
  const { node, ip, readyAt, failure, leaving, pastDeadline } = observed(pod)
  return {
    ...{ name, uid, way, node, ip },
    version: orEmpty(metadata.resourceVersion),
    template: orEmpty(own[labels.template]),
    isIdle: own[labels.id] === undefined,
    make: orEmpty(object(metadata.annotations)[annotations.make]),
    createdAt: time(metadata.creationTimestamp) ?? 0,
    startedAt: time(object(pod.status).startTime),
    isReady: readyAt !== undefined && failure === undefined,
    isBroken: !leaving && (failure !== undefined || pastDeadline),
    isLeaving: leaving
  }
}

const orEmpty = (value: unknown): string => text(value) ?? ''

function wayIn(own: Json): Way | undefined {
  const way = own[labels.pool]
  return way === 'warm' || way === 'placeholder' ? way : undefined
}
