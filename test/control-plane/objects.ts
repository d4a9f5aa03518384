/** The parts of API objects that tests read. */
export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface ApiObject {
  readonly metadata: Metadata
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

export interface Pod extends ApiObject {
  readonly spec: {
    readonly schedulerName?: string
    readonly nodeName?: string
    readonly schedulingGates?: readonly { readonly name: string }[]
    readonly priority?: number
  }
  readonly status: {
    readonly phase?: string
    readonly nominatedNodeName?: string
    readonly conditions?: readonly Condition[]
  }
}

export interface Node extends ApiObject {
  readonly status: { readonly conditions?: readonly Condition[] }
}

/** The gate that muster removes when a gang may go. */
const gangGate = 'muster.dev/gang'
const gangAnnotation = 'muster.dev/gang'

/** A node for a test; left out parts are those of a small machine without labels. */
export interface NodeOptions {
  readonly labels?: Readonly<Record<string, string>>
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  /** How many pods fit; default one. */
  readonly slots?: number
  readonly cpu?: string
  readonly memory?: string
}

/** A ready node as a kubelet would register it. */
export function nodeObject(name: string, options: NodeOptions = {}): object {
  const { labels = {}, taints = [], slots = 1, cpu = '8', memory = '32Gi' } = options
  const room = { cpu, memory, pods: String(slots), 'ephemeral-storage': '100Gi' }
  const now = new Date().toISOString()
  const stamps = { lastHeartbeatTime: now, lastTransitionTime: now }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...labels } },
    spec: { taints },
    status: {
      allocatable: room,
      capacity: room,
      // Of a pod's host port: the upstream specs want one.
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'fake', ...stamps }]
    }
  }
}

/** A pod for a test; left out parts are those of a small ordinary pod for muster's scheduler. */
export interface PodOptions {
  readonly schedulerName?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly tolerations?: readonly object[]
  readonly gates?: readonly string[]
  readonly priorityClassName?: string
  /** A PodGroup of Kubernetes' own alpha gang scheduling. */
  readonly podGroup?: string
  readonly cpu?: string
  readonly memory?: string
  /** Extended resources, asked for besides. */
  readonly extended?: Readonly<Record<string, string>>
  /** Default: none that exists, for fake nodes. */
  readonly image?: string
}

/** A pod that only asks for room. */
export function podObject(name: string, options: PodOptions = {}): NamedPod {
  const { annotations = {}, labels = {}, cpu = '10m', memory = '10Mi', gates = [] } = options
  const { schedulerName = 'muster', nodeSelector, tolerations, priorityClassName, podGroup } = options
  const { extended, image = 'none' } = options
  const resources = { requests: { cpu, memory, ...extended }, ...(extended && { limits: extended }) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations, labels },
    spec: {
      schedulerName,
      schedulingGates: gates.map(gate => ({ name: gate })),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
      ...(priorityClassName && { priorityClassName }),
      ...(podGroup && { schedulingGroup: { podGroupName: podGroup } }),
      containers: [{ name: 'main', image, resources }]
    }
  }
}

/** A pod to be created. */
export interface NamedPod {
  readonly metadata: {
    readonly name: string
    readonly annotations: Readonly<Record<string, string>>
    readonly labels: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

/** A gang for a test. */
export interface GangOptions extends PodOptions {
  readonly name: string
  readonly size: number
  /** Default: the size. */
  readonly minMember?: number
  /** Whether its pods wait behind muster's gate. */
  readonly gated: boolean
}

/** The pods of a gang, named `gang-0` and on. */
export function gangObjects(gang: GangOptions): readonly NamedPod[] {
  const { name, size, minMember = size, gated } = gang
  const annotations = { [gangAnnotation]: name, 'muster.dev/min-member': String(minMember), ...gang.annotations }
  const gates = [...(gated ? [gangGate] : []), ...(gang.gates ?? [])]
  return Array.from({ length: size }, (_, index) => podObject(`${name}-${index}`, { ...gang, annotations, gates }))
}

/** The gang that a pod says it belongs to. */
export const gangOf = (pod: Pod): string | undefined => pod.metadata.annotations?.[gangAnnotation]

/** Whether a pod still waits behind a gate. */
export const isGated = (pod: Pod): boolean => (pod.spec.schedulingGates?.length ?? 0) > 0

/** Whether a pod has a node and is not finished. */
export const isBound = (pod: Pod): boolean =>
  !!pod.spec.nodeName && pod.status.phase !== 'Succeeded' && pod.status.phase !== 'Failed'

/** Whether a pod has a node written into its status while it waits. */
export const isNominated = (pod: Pod): boolean => !pod.spec.nodeName && !!pod.status.nominatedNodeName
