import type { KubeObject, ObjectMeta, Reference } from './store/objects.ts'

/** The fields of core objects that controllers and the kubelet read; everything else passes through untouched. */
export type IntOrString = number | string
export type LabelSelector = {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly Requirement[]
}
export type Requirement = { readonly key: string; readonly operator: string; readonly values?: readonly string[] }

export type Condition = {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  readonly lastUpdateTime?: string
  readonly lastHeartbeatTime?: string
  readonly observedGeneration?: number
}

export type Toleration = {
  readonly key?: string
  readonly operator?: string
  readonly value?: string
  readonly effect?: string
  readonly tolerationSeconds?: number
}
export type Taint = {
  readonly key: string
  readonly value?: string
  readonly effect: string
  readonly timeAdded?: string
}
export type Probe = {
  readonly initialDelaySeconds?: number
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly failureThreshold?: number
  readonly successThreshold?: number
}
export type Resources = {
  readonly requests?: Readonly<Record<string, string | number>>
  readonly limits?: Readonly<Record<string, string | number>>
}
export type EnvVar = {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string }
    readonly configMapKeyRef?: KeyRef
    readonly secretKeyRef?: KeyRef
  }
}
export type KeyRef = { readonly name: string; readonly key: string; readonly optional?: boolean }
export type Container = {
  readonly name: string
  readonly image?: string
  readonly env?: readonly EnvVar[]
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[]
  readonly resources?: Resources
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
}

export type PodSpec = {
  readonly nodeName?: string
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never'
  readonly terminationGracePeriodSeconds?: number
  readonly tolerations?: readonly Toleration[]
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly affinity?: { readonly nodeAffinity?: NodeAffinity }
  readonly hostNetwork?: boolean
  readonly hostname?: string
  readonly [field: string]: unknown
}
export type NodeTerm = {
  readonly matchExpressions?: readonly Requirement[]
  readonly matchFields?: readonly Requirement[]
}
export type NodeAffinity = {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms?: readonly NodeTerm[] }
}

export type Terminated = {
  readonly exitCode: number
  readonly reason?: string
  readonly message?: string
  readonly startedAt?: string
  readonly finishedAt?: string
}
export type ContainerState = {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: Terminated
}
export type ContainerStatus = {
  readonly name: string
  readonly image?: string
  readonly imageID?: string
  readonly ready: boolean
  readonly started?: boolean
  readonly restartCount: number
  readonly state: ContainerState
  readonly lastState?: ContainerState
}
export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
export type PodStatus = {
  readonly phase?: PodPhase
  readonly reason?: string
  readonly message?: string
  readonly podIP?: string
  readonly conditions?: readonly Condition[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
  readonly startTime?: string
  readonly [field: string]: unknown
}
export type Pod = KubeObject & { readonly spec: PodSpec; readonly status?: PodStatus }
export type PodTemplate = { readonly metadata?: Partial<ObjectMeta>; readonly spec: PodSpec }

export type Node = KubeObject & {
  readonly spec?: {
    readonly taints?: readonly Taint[]
    readonly unschedulable?: boolean
    readonly [field: string]: unknown
  }
  readonly status?: {
    readonly allocatable?: Readonly<Record<string, string | number>>
    readonly conditions?: readonly Condition[]
    readonly [field: string]: unknown
  }
}

/** A ReplicaSet, Deployment, StatefulSet or DaemonSet, as far as they are alike. */
export type Workload = KubeObject & {
  readonly spec: {
    readonly replicas?: number
    readonly selector?: LabelSelector
    readonly template: PodTemplate
    readonly minReadySeconds?: number
    readonly [field: string]: unknown
  }
  readonly status?: { readonly [field: string]: unknown; readonly conditions?: readonly Condition[] }
}

/** Where a namespaced or a cluster object of a resource lives. */
export function referenceTo(resource: string, object: KubeObject): Reference {
  const { namespace, name } = object.metadata
  return namespace === undefined ? { resource, name } : { resource, namespace, name }
}

/** `namespace/name`, or the name alone for what belongs to no namespace. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** The reference that a key of keyOf stands for. */
export function parseKey(resource: string, key: string): Reference {
  const slash = key.indexOf('/')
  if (slash < 0) return { resource, name: key }
  return { resource, namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** The uid, which every stored object has. */
export const uidOf = (object: KubeObject): string => object.metadata.uid ?? ''

/** Whether a pod is done for good. */
export const isFinished = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

/** Whether somebody has asked for the object to go. */
export const isLeaving = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined

/** A pod that runs or will run: neither done nor leaving. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && !isLeaving(pod)

/** A condition of an object by its type. */
export function conditionOf(
  object: { readonly status?: { readonly conditions?: readonly Condition[] } },
  type: string
): Condition | undefined {
  return object.status?.conditions?.find(condition => condition.type === type)
}

/** Whether a pod's Ready condition is True. */
export const isReady = (pod: Pod): boolean => conditionOf(pod, 'Ready')?.status === 'True'

/** The owner that manages an object, if one does. */
export function controllerOf(object: KubeObject): NonNullable<ObjectMeta['ownerReferences']>[number] | undefined {
  return object.metadata.ownerReferences?.find(owner => owner.controller === true)
}

/** Milliseconds since the epoch as the API writes times: whole seconds. */
export const timestamp = (wall: number): string => `${new Date(wall).toISOString().slice(0, 19)}Z`
