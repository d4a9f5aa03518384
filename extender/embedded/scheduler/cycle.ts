import type { Random } from '../../clock.ts'
import type { Cache } from './cache.ts'
import type { SchedulerConfig } from './config.ts'
import type { Failure, Rejection } from './diagnosis.ts'
import type { Extender } from './extender.ts'
import { reasonOf } from '../../errors.ts'
import type { Nomination } from './failures.ts'
import type { Finder } from './filtering.ts'
import type { Log } from './log.ts'
import type { Preempted, Preemption } from './preemption.ts'
import { scores } from './scoring.ts'
import type { NodeEntry, PodView } from './views.ts'
import { ExtenderError } from './wire.ts'

/** Upstream's extenders score up to 10, its plugins up to 100. */
const extenderScale = 10
const noNodes = 'no nodes available to schedule pods'
/** What upstream's other PostFilter plugin says of a pod without resource claims. */
const noClaims = 'no new claims to deallocate'

export type CycleParts = {
  readonly config: SchedulerConfig
  readonly cache: Cache
  readonly finder: Finder
  readonly preemption: Preemption
  readonly extenders: readonly Extender[]
  readonly random: Random
  readonly log: Log
}

/** How the cycle of one pod ends. */
export type Outcome =
  | { readonly kind: 'node'; readonly node: string }
  | {
      readonly kind: 'none'
      readonly why: Rejection | Failure
      readonly nomination: Nomination
      /** Whom to evict for it. */
      readonly victims: readonly PodView[]
    }

/** Looks for one pod's node: filters, scores, and where no node takes it preemption. Changes nothing. */
export class Cycle {
  readonly #parts: CycleParts

  constructor(parts: CycleParts) {
    this.#parts = parts
  }

  async run(view: PodView): Promise<Outcome> {
    const nodes = this.#parts.cache.snapshot()
    if (nodes.length === 0) return none({ kind: 'rejected', message: noNodes, plugins: new Set() }, '')
    try {
      return await this.#search(view, nodes)
    } catch (error) {
      if (!(error instanceof ExtenderError)) this.#parts.log.error({ err: error, pod: view.pod.name }, 'a cycle broke')
      return none({ kind: 'failed', message: reasonOf(error) }, '')
    }
  }

  async #search(view: PodView, nodes: readonly NodeEntry[]): Promise<Outcome> {
    const { config, finder, preemption } = this.#parts
    const { feasible, diagnosis } = await finder.find(view, nodes, config.profiles.get(view.pod.schedulerName) ?? 0)
    const [only] = feasible
    if (only) return { kind: 'node', node: feasible.length === 1 ? only.node.name : await this.#best(view, feasible) }
    const preempted = await preemption.find(view, nodes, diagnosis)
    diagnosis.postFilter = postFilterText(preempted)
    const message = diagnosis.message(nodes.length)
    const why: Rejection = { kind: 'rejected', message, plugins: diagnosis.plugins }
    if (preempted.kind === 'chosen')
      return { kind: 'none', why, nomination: preempted.node, victims: preempted.victims }
    return none(why, preempted.kind === 'refused' && preempted.clears ? '' : undefined)
  }

  /** The highest score; among equals any. */
  async #best(view: PodView, nodes: readonly NodeEntry[]): Promise<string> {
    const inTree = scores(view, nodes)
    const asked = this.#parts.extenders.filter(extender => extender.isInterestedIn(view))
    const added = await Promise.all(asked.map(extender => this.#scoresOf(extender, view, nodes)))
    const ranked = nodes.map(({ node: { name } }, index) => {
      const extra = added.reduce((sum, byName) => sum + (byName.get(name) ?? 0), 0)
      return { name, score: (inTree[index] ?? 0) + extra, tie: this.#parts.random() }
    })
    return ranked.toSorted((a, b) => b.score - a.score || b.tie - a.tie)[0]?.name ?? ''
  }

  /** Scaled and weighted; an extender that breaks here has no say. */
  async #scoresOf(
    extender: Extender,
    view: PodView,
    nodes: readonly NodeEntry[]
  ): Promise<ReadonlyMap<string, number>> {
    const { weight, urlPrefix } = extender.config
    try {
      const given = await extender.prioritize(view, nodes)
      return new Map([...given].map(([node, score]) => [node, score * weight * extenderScale]))
    } catch (error) {
      this.#parts.log.debug({ extender: urlPrefix }, `no scores: ${reasonOf(error)}`)
      return new Map()
    }
  }
}

function none(why: Rejection | Failure, nomination: Nomination): Outcome {
  return { kind: 'none', why, nomination, victims: [] }
}

function postFilterText(preempted: Preempted): string {
  if (preempted.kind === 'chosen') return ''
  const said = `preemption: ${preempted.message}`
  return preempted.kind === 'failed' ? said : `${noClaims}, ${said}`
}
