import type { Clock } from '../../clock.ts'
import { type Condition, conditionOf, type Node, timestamp } from '../kinds.ts'
import type { Client } from '../store/client.ts'
import { nodeAddress } from './addresses.ts'

/** A node that the kubelet plays; what is left out has the usual value. */
export type NodeOptions = {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  /** Default 8 cores, 32 GiB, 110 pods. */
  readonly allocatable?: Readonly<Record<string, string>>
}

/** On a node: `stopped` stands for a kubelet that fell silent: it neither writes nor starts nor stops anything. */
export const heartbeat = 'muster.dev/simulated-heartbeat'
/** On a node: `false` makes its kubelet say that the node is not ready. */
const nodeReady = 'muster.dev/simulated-ready'

const usual = { cpu: '8', memory: '32Gi', pods: '110' }

/** Writes the node, or brings the one that is there up to date. */
export function registerNode(client: Client, clock: Clock, options: NodeOptions, index: number): void {
  const { name, labels, annotations, taints, allocatable } = options
  const there: Node | undefined = client.get({ resource: 'nodes', name })
  const resources = { ...usual, ...allocatable }
  const status = {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: 'InternalIP', address: nodeAddress(index) },
      { type: 'Hostname', address: name }
    ],
    nodeInfo,
    conditions: conditionsOf(there, clock)
  }
  if (there !== undefined) {
    client.update('nodes', { ...there, status: { ...there.status, ...status } }, 'status')
    return
  }
  client.create('nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', ...labels },
      ...(annotations !== undefined && { annotations })
    },
    spec: { ...(taints !== undefined && taints.length > 0 && { taints }) },
    status
  })
}

const nodeInfo = {
  kubeletVersion: 'v1.36.3',
  kubeProxyVersion: '',
  operatingSystem: 'linux',
  architecture: 'amd64',
  osImage: 'muster embedded',
  kernelVersion: '',
  containerRuntimeVersion: 'muster://1',
  machineID: '',
  systemUUID: '',
  bootID: ''
}

const healthy = {
  MemoryPressure: 'KubeletHasSufficientMemory',
  DiskPressure: 'KubeletHasNoDiskPressure',
  PIDPressure: 'KubeletHasSufficientPID'
}

function conditionsOf(node: Node | undefined, clock: Clock): readonly Condition[] {
  const now = timestamp(clock.wall())
  const fine = Object.entries(healthy).map(([type, reason]): Condition => ({ type, status: 'False', reason }))
  const ready = node?.metadata.annotations?.[nodeReady] !== 'false'
  const readiness: Condition = ready
    ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
    : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: `annotation ${nodeReady} is false` }
  return [...fine, readiness].map(condition => {
    const before = node === undefined ? undefined : conditionOf(node, condition.type)
    const lastTransitionTime = before?.status === condition.status ? (before.lastTransitionTime ?? now) : now
    return { ...condition, lastHeartbeatTime: before?.lastHeartbeatTime ?? now, lastTransitionTime }
  })
}

/** Writes the Ready condition where the node's annotations ask for another; a silent node writes nothing. */
export function syncNode(client: Client, clock: Clock, node: Node): void {
  if (node.metadata.annotations?.[heartbeat] === 'stopped') return
  const wanted = node.metadata.annotations?.[nodeReady] === 'false' ? 'False' : 'True'
  if (conditionOf(node, 'Ready')?.status === wanted) return
  const others = (node.status?.conditions ?? []).filter(({ type }) => !isOurs(type))
  const conditions = [...others, ...conditionsOf(node, clock)]
  client.update('nodes', { ...node, status: { ...node.status, conditions } }, 'status')
}

const isOurs = (type: string): boolean => type === 'Ready' || Object.hasOwn(healthy, type)
