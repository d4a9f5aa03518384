import type { Log } from './log.ts'
import { Diagnosis, extenderPlugin } from './diagnosis.ts'
import type { Extender } from './extender.ts'
import { type InTree, namedNodes } from './in-tree.ts'
import type { Nominator } from './nominator.ts'
import type { NodeEntry, PodView } from './views.ts'
import { reasonOf } from '../../errors.ts'

const fewestNodes = 100
const lowestPercentage = 5

export type FinderParts = {
  readonly inTree: InTree
  readonly nominator: Nominator
  readonly extenders: readonly Extender[]
  readonly log: Log
}

export type Found = { readonly feasible: readonly NodeEntry[]; readonly diagnosis: Diagnosis }

/** Looks for the nodes that take a pod: first in the tree, then each extender among what is left. */
export class Finder {
  readonly #parts: FinderParts
  /** Where the next search begins, so that all nodes have their turn. */
  #start = 0

  constructor(parts: FinderParts) {
    this.#parts = parts
  }

  /** Throws ExtenderError where an extender that counts breaks. */
  async find(view: PodView, nodes: readonly NodeEntry[], percentage: number): Promise<Found> {
    const diagnosis = new Diagnosis()
    const nominated = await this.#onNominated(view, nodes, diagnosis)
    if (nominated.length > 0) return { feasible: nominated, diagnosis }
    const eligible = eligibleNodes(view, nodes, diagnosis)
    const inTree = this.#inTree(view, eligible, { diagnosis, most: mostFeasible(eligible.length, percentage) })
    this.#start = (this.#start + inTree.length + diagnosis.statuses.size) % nodes.length
    const feasible = await this.#throughExtenders(view, inTree, diagnosis)
    if (feasible.length !== inTree.length) diagnosis.plugins.add(extenderPlugin)
    return { feasible, diagnosis }
  }

  /** The node that the pod is nominated for, if it takes the pod: then no other is looked at. */
  async #onNominated(view: PodView, nodes: readonly NodeEntry[], diagnosis: Diagnosis): Promise<readonly NodeEntry[]> {
    const { nominatedNodeName } = view.pod
    if (nominatedNodeName === undefined) return []
    const entry = nodes.find(({ node }) => node.name === nominatedNodeName)
    if (!entry) return []
    try {
      return await this.#throughExtenders(view, this.#inTree(view, [entry], { diagnosis, most: 1 }), diagnosis)
    } catch (error) {
      this.#parts.log.warn({ pod: view.pod.name, node: nominatedNodeName }, `nominated node: ${reasonOf(error)}`)
      return []
    }
  }

  #inTree(
    view: PodView,
    nodes: readonly NodeEntry[],
    { diagnosis, most }: { readonly diagnosis: Diagnosis; readonly most: number }
  ): readonly NodeEntry[] {
    const { inTree, nominator } = this.#parts
    const feasible: NodeEntry[] = []
    for (let index = 0; index < nodes.length && feasible.length < most; index++) {
      const entry = nodes[(this.#start + index) % nodes.length]
      if (!entry) continue
      const { name } = entry.node
      const refusal = inTree.refusal(view.pod, entry.info, nominator.above(view, name))
      if (refusal) diagnosis.refuse(name, refusal, refusal.plugin)
      else feasible.push(entry)
    }
    return feasible
  }

  /** One after the other, each among those that the ones before it left. */
  async #throughExtenders(
    view: PodView,
    nodes: readonly NodeEntry[],
    diagnosis: Diagnosis
  ): Promise<readonly NodeEntry[]> {
    let left = nodes
    for (const extender of this.#parts.extenders) {
      if (left.length === 0) break
      if (extender.isInterestedIn(view)) left = await this.#through(extender, view, { nodes: left, diagnosis })
    }
    return left
  }

  async #through(
    extender: Extender,
    view: PodView,
    { nodes, diagnosis }: { readonly nodes: readonly NodeEntry[]; readonly diagnosis: Diagnosis }
  ): Promise<readonly NodeEntry[]> {
    try {
      const { passed, failed, unresolvable } = await extender.filter(view, nodes)
      for (const [node, reason] of failed) diagnosis.refuse(node, { code: 'Unschedulable', reasons: [reason] })
      for (const [node, reason] of unresolvable)
        diagnosis.refuse(node, { code: 'UnschedulableAndUnresolvable', reasons: [reason] })
      return passed
    } catch (error) {
      if (!extender.config.ignorable) throw error
      this.#parts.log.warn({ extender: extender.config.urlPrefix }, `ignored in filter: ${reasonOf(error)}`)
      return nodes
    }
  }
}

/** All nodes, but where a pod names its nodes only those. */
function eligibleNodes(view: PodView, nodes: readonly NodeEntry[], diagnosis: Diagnosis): readonly NodeEntry[] {
  const names = namedNodes(view.pod.shape)
  if (!names) return nodes
  diagnosis.plugins.add('NodeAffinity')
  diagnosis.absentReason = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
  return nodes.filter(({ node }) => names.has(node.name))
}

/** After so many the search ends (upstream `numFeasibleNodesToFind`); a percentage of 0 adapts to the cluster. */
export function mostFeasible(nodes: number, percentage: number): number {
  if (nodes < fewestNodes) return nodes
  const share = percentage === 0 ? Math.max(50 - Math.trunc(nodes / 125), lowestPercentage) : percentage
  return Math.max(Math.trunc((nodes * share) / 100), fewestNodes)
}
