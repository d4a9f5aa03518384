import { annotations, labels } from '../labels.ts'
import { type Failure, type FailureCode, type Launched, launchedIn } from './claim.ts'
import { object, objects, text } from '../../json.ts'
import { time, whole } from './json.ts'
import type { Json } from './ports.ts'

/** What matters of a sandbox's pod. */
export type PodFacts = Observed & {
  readonly name: string
  readonly uid: string
  readonly version: string
  /** The sandbox that it belongs to. */
  readonly id: string
  /** The uid of the claim that owns it. */
  readonly owner: string
  readonly launched: Launched
}

/** How a pod fares, whoever has it. */
type Observed = {
  readonly node: string
  readonly ip: string
  readonly readyAt: number | undefined
  readonly leaving: boolean
  /** It runs no more, or never will, and how: a sandbox of it has failed. */
  readonly failure: Failure | undefined
  /** The kubelet ended it for its age: the sandbox has not failed. */
  readonly pastDeadline: boolean
  /** Why it does not start, as far as anybody says so; it may still. */
  readonly obstacle: Failure | undefined
}

export function podFactsOf(pod: Json): PodFacts | undefined {
  const metadata = object(pod.metadata)
  const [name, uid] = [text(metadata.name), text(metadata.uid)]
  const id = text(object(metadata.labels)[labels.id])
  if (name === undefined || uid === undefined || id === undefined) return undefined
  return {
    ...{ name, uid, id },
    ...observed(pod),
    version: orEmpty(metadata.resourceVersion),
    owner: orEmpty(objects(metadata.ownerReferences).find(({ kind }) => kind === 'Service')?.uid),
    launched: launchedIn(object(metadata.annotations)[annotations.launch])
  }
}

export function observed(pod: Json): Observed {
  const status = object(pod.status)
  const leaving = text(object(pod.metadata).deletionTimestamp) !== undefined
  return {
    leaving,
    node: orEmpty(object(pod.spec).nodeName),
    ip: orEmpty(status.podIP),
    readyAt: leaving ? undefined : readyAtOf(status),
    pastDeadline: status.reason === 'DeadlineExceeded',
    failure: failureOf(status, leaving),
    obstacle: obstacleOf(status)
  }
}

const orEmpty = (value: unknown): string => text(value) ?? ''

function readyAtOf(status: Json): number | undefined {
  const { status: isReady, lastTransitionTime } = conditionOf(status, 'Ready')
  return isReady === 'True' ? time(lastTransitionTime) : undefined
}

/** Why a pod of ours that is not there any more is gone, from the last that was seen of it. */
export function absenceOf(last: PodFacts | undefined, name: string): Failure {
  return last?.failure ?? { code: 'DELETED_EXTERNALLY', message: `pod ${name} is gone, and not by us` }
}

const conditionOf = (status: Json, type: string): Json =>
  objects(status.conditions).find(condition => condition.type === type) ?? {}

/** Pulls that cannot come to an end by waiting. */
const hopeless: ReadonlySet<unknown> = new Set(['ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName'])
const broken: ReadonlySet<unknown> = new Set([
  ...['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError', 'CrashLoopBackOff']
])

/** From the surest sign to the vaguest. */
function failureOf(status: Json, leaving: boolean): Failure | undefined {
  return (
    disrupted(status) ??
    outOfNode(status) ??
    ended(status) ??
    hopelessStart(status) ??
    (leaving ? { code: 'DELETED_EXTERNALLY', message: 'its pod is being deleted, and not by us' } : undefined)
  )
}

const disruptions: Readonly<Record<string, FailureCode>> = {
  PreemptionByScheduler: 'PREEMPTED',
  EvictionByEvictionAPI: 'EVICTED',
  TerminationByKubelet: 'EVICTED',
  DeletionByTaintManager: 'NODE_LOST',
  DeletionByPodGC: 'NODE_LOST'
}

/** What Kubernetes notes on a pod that it takes away. */
function disrupted(status: Json): Failure | undefined {
  const condition = conditionOf(status, 'DisruptionTarget')
  const code = condition.status === 'True' ? disruptions[text(condition.reason) ?? ''] : undefined
  return code && { code, message: text(condition.message) ?? `its pod was taken away: ${text(condition.reason)}` }
}

const reasons: Readonly<Record<string, FailureCode>> = {
  Evicted: 'EVICTED',
  Preempting: 'PREEMPTED',
  NodeLost: 'NODE_LOST',
  NodeShutdown: 'NODE_LOST',
  Terminated: 'NODE_LOST',
  OutOfcpu: 'UNSCHEDULABLE',
  OutOfmemory: 'UNSCHEDULABLE',
  OutOfpods: 'UNSCHEDULABLE'
}

function outOfNode(status: Json): Failure | undefined {
  const code = reasons[text(status.reason) ?? '']
  return code && { code, message: text(status.message) ?? `its pod has ended: ${text(status.reason)}` }
}

/** Sandboxes run until they are ended: whichever container ends by itself has crashed. */
function ended(status: Json): Failure | undefined {
  const containers = objects(status.containerStatuses)
  const states = containers.map(({ state }) => object(object(state).terminated))
  const last = states.find(({ exitCode }) => whole(exitCode) !== undefined)
  if (last !== undefined) return crash(last)
  const isOver = status.phase === 'Failed' || status.phase === 'Succeeded'
  if (!isOver || status.reason === 'DeadlineExceeded') return undefined
  return { code: 'CRASHED', message: text(status.message) ?? `its pod is ${text(status.phase)}` }
}

function crash(state: Json): Failure {
  const exitCode = whole(state.exitCode) ?? 0
  const why = text(state.message) ?? text(state.reason)
  const message = `its process ended with code ${exitCode}${why === undefined ? '' : `: ${why}`}`
  return { code: state.reason === 'OOMKilled' ? 'OOM_KILLED' : 'CRASHED', exitCode, message: message.slice(0, 500) }
}

function hopelessStart(status: Json): Failure | undefined {
  for (const { reason, message } of waitingOf(status)) {
    const said = (text(message) ?? text(reason) ?? '').slice(0, 500)
    if (hopeless.has(reason)) return { code: 'IMAGE_PULL', message: said }
    if (broken.has(reason)) return { code: 'CRASHED', message: said }
  }
  return undefined
}

function obstacleOf(status: Json): Failure | undefined {
  const scheduled = conditionOf(status, 'PodScheduled')
  if (scheduled.status === 'False')
    return { code: 'UNSCHEDULABLE', message: (text(scheduled.message) ?? 'no node takes its pod').slice(0, 500) }
  const pull = waitingOf(status).find(({ reason }) => reason === 'ErrImagePull')
  return pull && { code: 'IMAGE_PULL', message: (text(pull.message) ?? 'its image cannot be pulled').slice(0, 500) }
}

const waitingOf = (status: Json): readonly Json[] =>
  [...objects(status.initContainerStatuses), ...objects(status.containerStatuses)].map(({ state }) =>
    object(object(state).waiting)
  )
