import type { NodeInfo } from '../snapshot.ts'
import type { Pod } from '../types.ts'
import { grouped } from './groups.ts'

/** By pod: on which of the nodes it stands, and as the how manieth there; -1 for a pod that stands on none of them. */
export type Places = { readonly nodes: Int32Array; readonly positions: Int32Array }

/** The nodes' numbers are their places in the list. Mostly a pod knows itself where it stands. */
export function placesOf(pods: readonly Pod[], infos: readonly NodeInfo[]): Places {
  const nodes = named(pods, infos)
  const positions = new Int32Array(pods.length).fill(-1)
  locate(pods, infos, { nodes, positions })
  const strays = new Map<string, number>()
  for (let at = 0; at < pods.length; at++) {
    if (nodes[at] === elsewhere || positions[at] !== -1) continue
    nodes[at] = -1
    strays.set(pods[at]?.uid ?? '', at)
  }
  if (strays.size > 0) search(strays, infos, { nodes, positions })
  return { nodes, positions }
}

/** Where the pods say that they stand: on none of these nodes, or nothing at all. */
const elsewhere = -1
const unsaid = -2

function named(pods: readonly Pod[], infos: readonly NodeInfo[]): Int32Array {
  const byName = new Map(infos.map((info, number) => [info.node.name, number]))
  const nodes = new Int32Array(pods.length)
  for (let at = 0; at < pods.length; at++) {
    const name = pods[at]?.nodeName
    nodes[at] = name === undefined ? unsaid : (byName.get(name) ?? elsewhere)
  }
  return nodes
}

/** Finds the pods where they say they stand. Goes node by node, as they lie in memory. */
function locate(pods: readonly Pod[], infos: readonly NodeInfo[], { nodes, positions }: Places): void {
  const { from, members } = grouped(nodes, infos.length)
  for (const [number, info] of infos.entries()) {
    for (let each = from[number] ?? 0; each < (from[number + 1] ?? 0); each++) {
      const at = members[each] ?? 0
      const pod = pods[at]
      if (pod) positions[at] = info.pods.indexOf(pod)
    }
  }
}

/** Finds the others by their uids: the node may know another version of them. */
function search(strays: ReadonlyMap<string, number>, infos: readonly NodeInfo[], { nodes, positions }: Places): void {
  for (const [number, info] of infos.entries()) {
    for (const [position, { uid }] of info.pods.entries()) {
      const at = strays.get(uid)
      if (at === undefined) continue
      nodes[at] = number
      positions[at] = position
    }
  }
}
