/**
 * The words of the planner. All of it is plain, immutable data: no clock, no client, nothing that waits.
 * The adapters in `extender/kubernetes/projections.ts` make it from API objects.
 */

/** Amounts by resource name: `cpu` in millicores, all else in units (bytes, counts). `pods` counts like any other. */
export type Resources = ReadonlyMap<string, number>

export type Taint = { readonly key: string; readonly value: string; readonly effect: string }

/** A toleration; an absent key with operator `Exists` tolerates everything, an absent effect every effect. */
export type Toleration = {
  readonly key: string
  readonly operator: string
  readonly value: string
  readonly effect: string
}

/** One `matchExpressions` or `matchFields` entry of a node selector term. */
export type Requirement = { readonly key: string; readonly operator: string; readonly values: readonly string[] }

/** Requirements that must all hold; an empty term matches no node. */
export type NodeSelectorTerm = {
  readonly matchExpressions: readonly Requirement[]
  readonly matchFields: readonly Requirement[]
}

/** A port that a pod takes on its node; an empty `hostIP` means 0.0.0.0. */
export type HostPort = { readonly hostIP: string; readonly protocol: string; readonly port: number }

export type Node = {
  readonly name: string
  readonly uid: string
  readonly labels: ReadonlyMap<string, string>
  readonly taints: readonly Taint[]
  readonly unschedulable: boolean
  /** False only where a Ready condition says so: a node without the condition counts as ready, as upstream. */
  readonly ready: boolean
  readonly allocatable: Resources
}

/** What decides where a pod fits. Pods with equal constraints share one object, so that it can serve as a cache key. */
export type Shape = {
  /** Canonical text of all that follows; equal keys mean equal shapes. */
  readonly key: string
  /** Requests as upstream computes them, with `pods: 1`. */
  readonly requests: Resources
  readonly nodeSelector: ReadonlyMap<string, string>
  /** Terms of the required node affinity, any of which must match; undefined where none is declared. */
  readonly affinity: readonly NodeSelectorTerm[] | undefined
  readonly tolerations: readonly Toleration[]
  readonly hostPorts: readonly HostPort[]
}

export type Controller = { readonly kind: string; readonly name: string; readonly uid: string }

/** The condition PodScheduled, where it is present. */
export type Scheduled = { readonly status: string; readonly reason: string; readonly message: string }

export type Pod = {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly schedulerName: string
  /** `spec.priority`: the only source of eviction rights. */
  readonly priority: number
  /** Milliseconds since the epoch, from `metadata.creationTimestamp` (whole seconds). */
  readonly createdAt: number
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly terminating: boolean
  /** When it is to be gone at the latest, once it is terminating: `metadata.deletionTimestamp`, in milliseconds. */
  readonly leavesBy: number | undefined
  /** When the kubelet took it up (`status.startTime`), in milliseconds. */
  readonly startedAt: number | undefined
  /** How long it may take to stop, in milliseconds: `spec.terminationGracePeriodSeconds`. */
  readonly graceMs: number
  /** False where `spec.preemptionPolicy` is `Never`. */
  readonly preempts: boolean
  readonly gates: readonly string[]
  readonly nodeName: string | undefined
  readonly nominatedNodeName: string | undefined
  readonly scheduled: Scheduled | undefined
  /** True for members of a native (1.35+) group: kube-scheduler groups them itself. */
  readonly native: boolean
  /** Rules that are left to kube-scheduler decide where it may go: volumes, affinity to pods, spread, devices. */
  readonly inTree: boolean
  /** It keeps other pods off by required anti-affinity. */
  readonly repels: boolean
  /** It wants the resources that make kube-scheduler ask about it, whatever the scope. */
  readonly managed: boolean
  readonly controller: Controller | undefined
  readonly labels: ReadonlyMap<string, string>
  /** Only those that some dialect or policy reads. */
  readonly annotations: ReadonlyMap<string, string>
  readonly shape: Shape
}

/** Room that a pod takes, or is to take, on a node. */
export type Claim = { readonly node: string; readonly pod: Pod }
