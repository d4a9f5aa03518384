import type { Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Client } from '../store/client.ts'
import { type KubeObject, StatusError } from '../store/objects.ts'
import { Diagnosis, type NodeStatus } from './diagnosis.ts'
import type { Extender, Victims } from './extender.ts'
import type { InTree } from './in-tree.ts'
import { object, objects } from './json.ts'
import type { Log } from './log.ts'
import type { Nominator } from './nominator.ts'
import { startOf, victimsOn } from './victims.ts'
import type { NodeEntry, PodView } from './views.ts'
import { ExtenderError, type MetaVictims } from './wire.ts'

/** Upstream's `minCandidateNodesPercentage` and `minCandidateNodesAbsolute`. */
const candidatePercentage = 10
const candidatesAbsolute = 100
const notHelpful = 'Preemption is not helpful for scheduling'

export type PreemptionParts = {
  readonly client: Client
  readonly random: Random
  readonly log: Log
  readonly inTree: InTree
  readonly nominator: Nominator
  readonly extenders: readonly Extender[]
}

/** What became of an attempt to make room. */
export type Preempted =
  | { readonly kind: 'chosen'; readonly node: string; readonly victims: readonly PodView[] }
  /** `clears`: the pod's nomination is worth nothing any more. */
  | { readonly kind: 'refused'; readonly message: string; readonly clears: boolean }
  | { readonly kind: 'failed'; readonly message: string }

type Candidates = ReadonlyMap<string, Victims>

/** Looks for a node where evicting lesser pods lets a pod in (upstream DefaultPreemption). Evicts nobody itself. */
export class Preemption {
  readonly #parts: PreemptionParts

  constructor(parts: PreemptionParts) {
    this.#parts = parts
  }

  async find(view: PodView, nodes: readonly NodeEntry[], diagnosis: Diagnosis): Promise<Preempted> {
    const ineligible = whyIneligible(view, nodes, diagnosis)
    if (ineligible !== undefined) return { kind: 'refused', message: ineligible, clears: false }
    const run = this.#dryRun(view, nodes, diagnosis)
    if (run.candidates.size === 0)
      return run.error === undefined
        ? { kind: 'refused', message: run.why.message(nodes.length), clears: true }
        : { kind: 'failed', message: run.error }
    try {
      const candidates = await this.#askExtenders(view, nodes, run.candidates)
      const node = pick(candidates)
      if (node === undefined) return { kind: 'refused', message: 'no candidate node for preemption', clears: false }
      return { kind: 'chosen', node, victims: candidates.get(node)?.pods ?? [] }
    } catch (error) {
      if (!(error instanceof ExtenderError)) throw error
      return { kind: 'failed', message: error.message }
    }
  }

  #dryRun(view: PodView, nodes: readonly NodeEntry[], { statuses }: Diagnosis): DryRunResult {
    const potential = nodes.filter(({ node }) => statuses.get(node.name)?.code === 'Unschedulable')
    const run = { ...this.#parts, budgets: potential.length > 0 ? this.#budgets() : [] }
    const offset = Math.floor(this.#parts.random() * potential.length)
    const most = mostCandidates(potential.length)
    const found = { harmless: new Map<string, Victims>(), violating: new Map<string, Victims>() }
    const why = new Diagnosis()
    why.absentReason = notHelpful
    let error: string | undefined
    for (let index = 0; index < potential.length; index++) {
      if (found.harmless.size > 0 && found.harmless.size + found.violating.size >= most) break
      const entry = potential[(offset + index) % potential.length]
      if (!entry) continue
      const result = withVictims(victimsOn(entry, view, run), entry.node.name)
      if ('code' in result) {
        why.refuse(entry.node.name, result)
        if (result.code === 'Error') error ??= result.reasons.join(', ')
      } else (result.violations > 0 ? found.violating : found.harmless).set(entry.node.name, result)
    }
    return { candidates: new Map([...found.harmless, ...found.violating]), why, error }
  }

  #budgets(): readonly KubeObject[] {
    try {
      return this.#parts.client.list('poddisruptionbudgets.policy').items
    } catch (error) {
      if (error instanceof StatusError) return []
      throw error
    }
  }

  /** Each one's answer replaces the candidates; an empty one is a veto. */
  async #askExtenders(view: PodView, nodes: readonly NodeEntry[], candidates: Candidates): Promise<Candidates> {
    let left = candidates
    for (const extender of this.#parts.extenders) {
      if (extender.config.preemptVerb === '' || !extender.isInterestedIn(view)) continue
      left = await this.#ask(extender, view, { nodes, candidates: left })
      if (left.size === 0) break
    }
    return left
  }

  async #ask(
    extender: Extender,
    view: PodView,
    { nodes, candidates }: { readonly nodes: readonly NodeEntry[]; readonly candidates: Candidates }
  ): Promise<Candidates> {
    const { ignorable, urlPrefix } = extender.config
    let answer: Candidates
    try {
      answer = found(await extender.preempt(view, candidates), nodes, urlPrefix)
    } catch (error) {
      if (!ignorable) throw error
      this.#parts.log.warn({ extender: urlPrefix }, `ignored in preempt: ${reasonOf(error)}`)
      return candidates
    }
    const empty = [...answer].filter(([, { pods }]) => pods.length === 0).map(([node]) => node)
    if (empty.length > 0 && !ignorable) throw new ExtenderError(needsVictims(empty[0] ?? ''))
    return new Map([...answer].filter(([, { pods }]) => pods.length > 0))
  }
}

type DryRunResult = { readonly candidates: Candidates; readonly why: Diagnosis; readonly error: string | undefined }

const needsVictims = (node: string): string => `expected at least one victim pod on node ${JSON.stringify(node)}`

/** A node where everybody could be spared was refused by an extender only: no eviction helps there. */
function withVictims(result: Victims | NodeStatus, node: string): Victims | NodeStatus {
  if ('code' in result || result.pods.length > 0) return result
  return { code: 'Error', reasons: [needsVictims(node)] }
}

/** Of uids the pods; a node or pod that the scheduler does not know fails the call. */
function found(answer: MetaVictims, nodes: readonly NodeEntry[], url: string): Candidates {
  const byName = new Map(nodes.map(entry => [entry.node.name, entry]))
  return new Map(
    [...answer].map(([name, { uids, violations }]) => {
      const entry = byName.get(name)
      if (!entry) throw new ExtenderError(`nodeinfo not found for node name ${JSON.stringify(name)}`)
      const pods = uids.map(uid => {
        const view = entry.pods.find(({ pod }) => pod.uid === uid)
        if (view) return view
        throw new ExtenderError(
          `extender: ${url} claims to preempt pod (UID: ${uid}) on node: ${name}, but the pod is not found on that node`
        )
      })
      return [name, { pods, violations }] as const
    })
  )
}

function mostCandidates(nodes: number): number {
  return Math.min(Math.max(Math.trunc((nodes * candidatePercentage) / 100), candidatesAbsolute), nodes)
}

function whyIneligible({ object: json, pod }: PodView, nodes: readonly NodeEntry[], diagnosis: Diagnosis) {
  if (object(json.spec).preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.'
  const { nominatedNodeName, priority } = pod
  if (nominatedNodeName === undefined) return undefined
  if (diagnosis.codeOf(nominatedNodeName) === 'UnschedulableAndUnresolvable') return undefined
  const entry = nodes.find(({ node }) => node.name === nominatedNodeName)
  const isWaiting = entry?.pods.some(view => view.pod.priority < priority && isLeavingForUs(view))
  return isWaiting ? 'not eligible due to a terminating pod on the nominated node.' : undefined
}

function isLeavingForUs({ object: json, pod }: PodView): boolean {
  const condition = objects(object(json.status).conditions).find(({ type }) => type === 'DisruptionTarget')
  return pod.terminating && condition?.status === 'True' && condition.reason === 'PreemptionByScheduler'
}

/**
 * The node that loses least: 1. fewest broken budgets, 2. least important victim at the top, 3. smallest sum of
 * priorities, 4. fewest victims, 5. latest start of those at the top, 6. the first.
 */
function pick(candidates: Candidates): string | undefined {
  const costs = [...candidates].map(([node, victims]) => ({ node, cost: costOf(victims) }))
  return costs.toSorted((a, b) => compare(a.cost, b.cost))[0]?.node
}

function compare(a: readonly number[], b: readonly number[]): number {
  return a.map((each, index) => each - (b[index] ?? 0)).find(difference => difference !== 0) ?? 0
}

function costOf({ pods, violations }: Victims): readonly number[] {
  const priorities = pods.map(({ pod }) => pod.priority)
  const top = priorities[0] ?? 0
  const sum = priorities.reduce((all, priority) => all + priority + 2 ** 31, 0)
  const starts = pods.filter(({ pod }) => pod.priority === Math.max(...priorities)).map(startOf)
  return [violations, top, sum, pods.length, -Math.min(...starts)]
}
