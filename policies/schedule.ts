import type { FilterPlugin } from './framework.ts'
import { assign, type Standing } from './schedule/assignment.ts'
import { type Sort, sortOf } from './schedule/ground.ts'
import { type Scene, select } from './schedule/selection.ts'
import { inTurn, type Rules, takesRoom, type Unit, unitsOf } from './schedule/unit.ts'
import type { Node, Pod } from './types.ts'

/** All nodes and pods of a cluster, pods of others among them. */
export type Cluster = { readonly nodes: readonly Node[]; readonly pods: readonly Pod[] }

/** Who is planned, and what a node refuses. */
export type Policy = Rules & { readonly filters: readonly FilterPlugin[] }

/** What is to be done: first the victims leave, then the pods are bound. */
export type Actions = {
  /** In the order of the units; a gang's members stand together. */
  readonly bind: readonly { readonly pod: Pod; readonly node: string }[]
  /** The least important first. `for`: who takes the victim's node, or one of its gang's. */
  readonly preempt: readonly { readonly pod: Pod; readonly for: Pod }[]
  /** Who is not bound, in the order of the units. */
  readonly waiting: readonly Unit[]
}

/**
 * What a whole cluster is to look like where each planned pod has a node of its own: the top units, by priority and
 * size, that fit it together. Who stands there stays, unless units of higher priority need the room; nobody moves from
 * node to node. `former` are nodes, by pod uid, that pods keep if they are planned again. The same arguments give the
 * same answer, in whatever order nodes and pods come. Never changes its arguments.
 */
export function schedule({ nodes, pods }: Cluster, policy: Policy, former: ReadonlyMap<string, string>): Actions {
  const units = allUnits(pods, policy)
  const scene = sceneOf(nodes, { pods, units, policy })
  const selection = select(scene)
  const standing = standingOf(units, pods, policy)
  const places = assign(scene, selection, { former, standing })
  const placed = units.filter(unit => !unit.stands && selection.chosen.has(unit)).flatMap(unit => unit.pods)
  const bind = placed.flatMap(pod => {
    const node = places.get(pod.uid)
    return node === undefined ? [] : [{ pod, node }]
  })
  const victims = units.filter(unit => unit.stands && !selection.chosen.has(unit))
  return {
    bind,
    preempt: evictions(victims, new Map(bind.map(({ pod, node }) => [node, pod]))),
    waiting: units.filter(unit => !unit.stands && !selection.chosen.has(unit))
  }
}

/** The victims' pods, the last unit first, with whom they leave for. `takers`: by node. */
export function evictions(victims: readonly Unit[], takers: ReadonlyMap<string, Pod>): Actions['preempt'] {
  return victims.toReversed().flatMap(({ pods }) => {
    const nodes = pods.map(pod => takers.get(pod.nodeName ?? ''))
    const any = nodes.find(taker => taker !== undefined)
    return pods.flatMap((pod, index) => {
      const taker = nodes[index] ?? any
      return taker ? [{ pod, for: taker }] : []
    })
  })
}

function allUnits(pods: readonly Pod[], policy: Policy): readonly Unit[] {
  const gangs = Map.groupBy(pods, pod => policy.groupOf(pod)?.key)
  return [...gangs].flatMap(([key, members]) => (key === undefined ? [] : unitsOf(members, policy))).toSorted(inTurn)
}

type Found = { readonly pods: readonly Pod[]; readonly units: readonly Unit[]; readonly policy: Policy }

function sceneOf(nodes: readonly Node[], { pods, units, policy }: Found): Scene {
  const waiting = units.filter(unit => !unit.stands).flatMap(unit => unit.pods)
  const shapes = [...new Map(waiting.map(({ shape }) => [shape.key, shape])).values()].toSorted((a, b) =>
    a.key < b.key ? -1 : 1
  )
  const others = Map.groupBy(
    pods.filter(pod => takesRoom(pod) && !policy.groupOf(pod)),
    pod => pod.nodeName ?? ''
  )
  const asked = { shapes, filters: policy.filters }
  const sorts = new Map<string, Sort>()
  for (const node of nodes) sorts.set(node.name, sortOf(node, others.get(node.name) ?? [], asked))
  return { units, shapes: new Map(shapes.map(({ key }, index) => [key, index])), sorts }
}

function standingOf(units: readonly Unit[], pods: readonly Pod[], policy: Policy): Standing {
  const on = new Map<string, Unit[]>()
  for (const unit of units) {
    if (!unit.stands) continue
    for (const { nodeName = '' } of unit.pods) on.set(nodeName, [...(on.get(nodeName) ?? []), unit])
  }
  const used = new Set(pods.filter(pod => takesRoom(pod) && policy.groupOf(pod)).map(pod => pod.nodeName))
  return { on, isUsed: node => used.has(node) }
}
