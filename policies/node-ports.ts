import { type FilterPlugin, success } from './framework.ts'
import type { HostPort } from './types.ts'

/** NodePorts lets a pod in where no pod holds one of its host ports (upstream `HostPortInfo.CheckConflict`). */
export const nodePorts = {
  name: 'NodePorts',
  filter({ hostPorts }, { ports }) {
    return hostPorts.some(wanted => ports.some(taken => conflict(wanted, taken)))
      ? { code: 'Unschedulable', reason: "node(s) didn't have free ports for the requested pod ports" }
      : success
  },
  seesPods: ({ hostPorts }) => hostPorts.length > 0
} satisfies FilterPlugin

/** The same port and protocol on the same address, where 0.0.0.0 stands for all addresses. */
function conflict(a: HostPort, b: HostPort): boolean {
  if (a.port <= 0 || a.port !== b.port || (a.protocol || 'TCP') !== (b.protocol || 'TCP')) return false
  return isWildcard(a.hostIP) || isWildcard(b.hostIP) || a.hostIP === b.hostIP
}

const isWildcard = (hostIP: string) => hostIP === '' || hostIP === '0.0.0.0'
