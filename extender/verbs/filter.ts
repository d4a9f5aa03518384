import { refusals } from '../../policies/names.ts'
import type { Pod } from '../../policies/types.ts'
import { type Answer, notReady, podOf } from './answer.ts'
import type { NodeNames } from './node-names.ts'
import type { Placement, VerbParts } from './ports.ts'
import { filterError, filterResult, readArgs } from './wire.ts'

/** POST /filter: which of the offered nodes may take the pod. Looks up, never plans, commits nothing. */
export function filter(body: Buffer, parts: VerbParts): Answer {
  const { pod: json, names } = readArgs(body)
  if (!parts.ready()) return { outcome: 'not_ready', json: filterError(notReady) }
  const pod = podOf(json, parts)
  return { ...answer(parts, pod, names, parts.gangs.placement(pod)), pod }
}

function answer(parts: VerbParts, pod: Pod, names: NodeNames, placement: Placement): Answer {
  if (placement.kind === 'waiting') {
    parts.gangs.offered(pod, () => names.list())
    return refused(parts, names)
  }
  if (placement.kind === 'ordinary') return ordinary(names, placement.bars)
  const { node } = placement
  if (names.has(node)) return { outcome: 'ok', json: filterResult(JSON.stringify([node]), undefined) }
  // Nominated for it and not offered it: kube-scheduler has tried that node first and does not take it.
  if (pod.nominatedNodeName === node) parts.gangs.refusedInTree(pod, node, names.list())
  return refused(parts, names)
}

function ordinary(names: NodeNames, bars: ((node: string) => boolean) | undefined): Answer {
  // Nothing is held: the request's own bytes go back.
  if (!bars) return { outcome: 'ok', json: filterResult(names.json, undefined) }
  const barred = names.list().filter(bars)
  if (barred.length === 0) return { outcome: 'ok', json: filterResult(names.json, undefined) }
  const out = new Set(barred)
  const left = names.list().filter(name => !out.has(name))
  const why = Object.fromEntries(barred.map(name => [name, refusals.held]))
  return { outcome: left.length > 0 ? 'ok' : 'unschedulable', json: filterResult(JSON.stringify(left), why) }
}

/** No node at all, and nothing that eviction could change. */
function refused(parts: VerbParts, names: NodeNames): Answer {
  const named = parts.absentIsUnresolvable() ? names.list().slice(0, 1) : names.list()
  const why = Object.fromEntries(named.map(name => [name, refusals.waiting]))
  return { outcome: 'unschedulable', json: filterResult('[]', why) }
}
