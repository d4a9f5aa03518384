import type { Condition, Container, ContainerStatus, Pod, PodPhase, PodStatus, Terminated } from '../kinds.ts'

/** What a runtime knows of a pod. */
export type Observed = {
  readonly phase: PodPhase
  readonly now: string
  readonly addresses?: { readonly podIP: string; readonly hostIP: string }
  readonly initialized: boolean
  readonly containers: readonly ContainerStatus[]
  readonly init?: readonly ContainerStatus[]
  readonly reason?: string
  readonly message?: string
}

/** The whole status of a pod, with everything kept that others wrote into it. */
export function statusOf(pod: Pod, seen: Observed): PodStatus {
  const { reason: _, message: __, ...before } = pod.status ?? {}
  const { phase, now, addresses, reason, message, init = [] } = seen
  return {
    ...before,
    phase,
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    observedGeneration: pod.metadata.generation ?? 1,
    startTime: pod.status?.startTime ?? now,
    ...(addresses !== undefined && addressFields(addresses)),
    conditions: conditionsOf(pod, seen),
    ...(init.length > 0 && { initContainerStatuses: init }),
    containerStatuses: seen.containers
  }
}

const addressFields = ({ podIP, hostIP }: NonNullable<Observed['addresses']>): PodStatus => ({
  ...{ hostIP, hostIPs: [{ ip: hostIP }] },
  ...{ podIP, podIPs: [{ ip: podIP }] }
})

const asStatus = (is: boolean): Condition['status'] => (is ? 'True' : 'False')

function conditionsOf(pod: Pod, seen: Observed): readonly Condition[] {
  const { phase, initialized, containers } = seen
  const done = phase === 'Succeeded' || phase === 'Failed'
  const ready = !done && initialized && containers.length > 0 && containers.every(status => status.ready)
  const why = ready ? {} : whyNot(phase, containers)
  const wanted: Condition[] = [
    { type: 'PodReadyToStartContainers', status: asStatus(!done) },
    { type: 'Initialized', status: asStatus(initialized), ...(done && { reason: 'PodCompleted' }) },
    { type: 'Ready', status: asStatus(ready && gatesOpen(pod)), ...why },
    { type: 'ContainersReady', status: asStatus(ready), ...why }
  ]
  return merge(pod.status?.conditions ?? [], wanted, seen.now)
}

function whyNot(phase: PodPhase, containers: readonly ContainerStatus[]): Pick<Condition, 'reason' | 'message'> {
  if (phase === 'Succeeded') return { reason: 'PodCompleted' }
  if (phase === 'Failed') return { reason: 'PodFailed' }
  const names = containers.filter(status => !status.ready).map(status => status.name)
  return { reason: 'ContainersNotReady', message: `containers with unready status: [${names.join(' ')}]` }
}

function gatesOpen(pod: Pod): boolean {
  const gates = (pod.spec['readinessGates'] ?? []) as readonly { readonly conditionType: string }[]
  const isTrue = (type: string): boolean =>
    pod.status?.conditions?.some(condition => condition.type === type && condition.status === 'True') === true
  return gates.every(gate => isTrue(gate.conditionType))
}

function merge(before: readonly Condition[], wanted: readonly Condition[], now: string): readonly Condition[] {
  const types = new Set(wanted.map(condition => condition.type))
  const all = wanted.map(condition => {
    const old = before.find(one => one.type === condition.type)
    const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now
    return { ...condition, lastTransitionTime }
  })
  return [...before.filter(condition => !types.has(condition.type)), ...all]
}

/** How the API names what runs in a container. */
export function named(container: Container): Pick<ContainerStatus, 'name' | 'image' | 'imageID'> {
  const { name, image = '' } = container
  return { name, image, imageID: image }
}

/** A container that ended, as its status tells. */
export function terminated(
  exitCode: number,
  times: { readonly startedAt?: string; readonly finishedAt: string },
  why: { readonly reason?: string; readonly message?: string } = {}
): Terminated {
  const { reason = exitCode === 0 ? 'Completed' : 'Error', message } = why
  return { exitCode, reason, ...(message !== undefined && { message }), ...times }
}
