import { nodeAffinity } from '../../../policies/node-affinity.ts'
import { tolerates } from '../../../policies/tolerations.ts'
import type { NodeSelectorTerm, Requirement, Resources, Shape } from '../../../policies/types.ts'
import { object, objects, text } from './json.ts'
import type { NodeEntry, PodView } from './views.ts'

/** Upstream counts a container that asks for nothing as if it asked for this. */
const assumedRequests: Resources = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 ** 2]
])
const best = 100
const weights = { fit: 1, balanced: 1, taints: 3, affinity: 2 }

/** The in-tree score of each node, in order: room left, balance, tolerated taints, preferred affinity. */
export function scores(view: PodView, nodes: readonly NodeEntry[]): readonly number[] {
  const intolerable = nodes.map(entry => intolerableTaints(view.pod.shape, entry))
  const preferred = nodes.map(entry => preference(view, entry))
  const [mostTaints, mostPreferred] = [Math.max(...intolerable), Math.max(...preferred)]
  return nodes.map((entry, index) => {
    const taints = mostTaints === 0 ? best : best - Math.trunc((best * (intolerable[index] ?? 0)) / mostTaints)
    const affinity = mostPreferred === 0 ? 0 : Math.trunc((best * (preferred[index] ?? 0)) / mostPreferred)
    return resourceScore(view.pod.shape, entry) + weights.taints * taints + weights.affinity * affinity
  })
}

function resourceScore(shape: Shape, entry: NodeEntry): number {
  const usages = [...assumedRequests.keys()].flatMap(name => usageOf(name, shape, entry) ?? [])
  if (usages.length === 0) return 0
  const free = usages.map(({ after }) => Math.max(0, Math.trunc((1 - after) * best)))
  const least = Math.trunc(free.reduce((sum, each) => sum + each, 0) / usages.length)
  const isBestEffort = ![...assumedRequests.keys()].some(name => shape.requests.has(name))
  if (isBestEffort) return weights.fit * least
  const change = balance(usages.map(({ after }) => after)) - balance(usages.map(({ before }) => before))
  return weights.fit * least + weights.balanced * (best / 2 + Math.trunc((best / 2 + change) / 2))
}

type Usage = { readonly before: number; readonly after: number }

function usageOf(name: string, shape: Shape, { node, info }: NodeEntry): Usage | undefined {
  const all = node.allocatable.get(name) ?? 0
  if (all === 0) return undefined
  const used = info.pods.reduce((sum, pod) => sum + demand(pod.shape, name), 0)
  return { before: used / all, after: (used + demand(shape, name)) / all }
}

const demand = ({ requests }: Shape, name: string): number => requests.get(name) ?? assumedRequests.get(name) ?? 0

function balance(fractions: readonly number[]): number {
  const [one = 0, other = one] = fractions.map(fraction => Math.min(fraction, 1))
  return Math.trunc((1 - Math.abs(one - other) / 2) * best)
}

function intolerableTaints({ tolerations }: Shape, { node }: NodeEntry): number {
  return node.taints.filter(taint => taint.effect === 'PreferNoSchedule' && !tolerates(tolerations, taint)).length
}

/** The weights of the preferred terms that match, summed. */
function preference({ object: pod, pod: { shape } }: PodView, { info }: NodeEntry): number {
  const affinity = object(object(object(pod.spec).affinity).nodeAffinity)
  const terms = objects(affinity.preferredDuringSchedulingIgnoredDuringExecution)
  return terms.reduce((sum, { weight, preference }) => {
    const asked = { ...shape, nodeSelector: new Map(), affinity: [termOf(object(preference))] }
    return nodeAffinity.filter(asked, info).code === 'Success' && typeof weight === 'number' ? sum + weight : sum
  }, 0)
}

function termOf(term: Readonly<Record<string, unknown>>): NodeSelectorTerm {
  return { matchExpressions: requirements(term.matchExpressions), matchFields: requirements(term.matchFields) }
}

function requirements(value: unknown): readonly Requirement[] {
  return objects(value).map(({ key, operator, values }) => ({
    key: text(key),
    operator: text(operator),
    values: Array.isArray(values) ? values.filter(each => typeof each === 'string') : []
  }))
}
