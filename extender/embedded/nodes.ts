import type { Clock } from '../clock.ts'
import type { Client } from './store/client.ts'
import type { KubeObject } from './store/objects.ts'

/** Nodes to begin with. */
export type NodesWish = {
  readonly count: number
  /** Default 8. */
  readonly cpu?: string
  /** Default 32Gi. */
  readonly memory?: string
  /** Default 110. */
  readonly pods?: string
}

const group = 16

/** Adds nodes that are ready: `node-1`, `node-2`, …, sixteen to a rack and zones in turn. */
export function addNodes(client: Client, clock: Clock, wish: NodesWish | undefined): void {
  const now = `${new Date(clock.wall()).toISOString().slice(0, 19)}Z`
  for (let index = 0; index < (wish?.count ?? 0); index++) {
    const node = nodeOf(index, wish ?? { count: 0 }, now)
    client.create('nodes', node)
    client.update('nodes', node, 'status')
  }
}

function nodeOf(index: number, { cpu = '8', memory = '32Gi', pods = '110' }: NodesWish, now: string): KubeObject {
  const name = `node-${index + 1}`
  const resources = { cpu, memory, pods, 'ephemeral-storage': '100Gi' }
  const rack = Math.floor(index / group)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': process.arch === 'x64' ? 'amd64' : process.arch,
        'topology.kubernetes.io/zone': `zone-${(rack % 3) + 1}`,
        'topology.kubernetes.io/rack': `rack-${rack + 1}`
      }
    },
    spec: {},
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [
        {
          ...{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'the embedded kubelet is up' },
          ...{ lastHeartbeatTime: now, lastTransitionTime: now }
        }
      ],
      addresses: [
        { type: 'InternalIP', address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}` },
        { type: 'Hostname', address: name }
      ],
      nodeInfo: {
        ...{ kubeletVersion: 'v1.36.3', kubeProxyVersion: '', osImage: 'muster', kernelVersion: '', machineID: name },
        ...{ containerRuntimeVersion: 'muster://1', operatingSystem: 'linux', architecture: 'amd64' },
        ...{ systemUUID: name, bootID: name }
      }
    }
  }
}
