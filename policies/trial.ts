import { kindsOf } from './board.ts'
import type { Budget, Step } from './bodies.ts'
import type { Profile } from './framework.ts'
import type { PlanRequest } from './plan.ts'
import { plan } from './planner.ts'
import { nodeInfo, Snapshot } from './snapshot.ts'
import { Slots } from './slots.ts'
import type { Pod } from './types.ts'

/** The cluster while pods are taken out of it and put back, and whether the members fit now. */
export class Trial {
  readonly #snapshot: Snapshot
  readonly #request: PlanRequest
  readonly #profile: Profile
  readonly #budgets: readonly Budget[]
  /** By kind of member. */
  readonly #slots: readonly Slots[]
  readonly #demands: readonly number[]
  readonly #gone = new Set<string>()
  /** By budget: how many of its pods are gone. */
  readonly #spent: number[]
  /** Whole plans that were made. */
  plans = 0

  constructor(snapshot: Snapshot, { request, profile, budgets, steps }: TrialOptions) {
    const kinds = kindsOf(request.pods)
    const mayGo = new Set(steps.flatMap(step => step.pods.map(pod => pod.uid)))
    this.#snapshot = snapshot
    this.#request = request
    this.#profile = profile
    this.#budgets = budgets
    this.#spent = budgets.map(() => 0)
    this.#demands = kinds.map(kind => kind.pods.length)
    this.#slots = kinds.flatMap(({ shape, pods: [member] }) => {
      const refused = request.refused.get(shape.key) ?? nobody
      return member ? [new Slots(snapshot, member, { filters: profile.filters, mayGo, refused })] : []
    })
  }

  take(pods: readonly Pod[]): void {
    for (const pod of pods) {
      this.#gone.add(pod.uid)
      for (const slots of this.#slots) slots.take(pod)
      this.#spend(pod, 1)
    }
  }

  put(pods: readonly Pod[]): void {
    for (const pod of pods) {
      this.#gone.delete(pod.uid)
      for (const slots of this.#slots) slots.put(pod)
      this.#spend(pod, -1)
    }
  }

  /** Whether no budget forbids that these go as well; none: that those go who are gone. */
  allows(pods: readonly Pod[]): boolean {
    return this.#budgets.every(({ uids, allowed }, index) => {
      const more = pods.filter(pod => uids.has(pod.uid)).length
      return (this.#spent[index] ?? 0) + more <= allowed
    })
  }

  /** With one kind of member counting is certain, and costs no plan. */
  get isCounted(): boolean {
    return this.#slots.length === 1
  }

  /** Whether `need` members fit: certain for one kind of member; else as the planner finds. */
  fits(): boolean {
    return this.mayFit() && (this.isCounted || this.nodes() !== undefined)
  }

  /** False where each kind for itself finds too little room: then no plan is worth making. */
  mayFit(): boolean {
    let count = 0
    for (const [kind, slots] of this.#slots.entries()) count += Math.min(slots.total, this.#demands[kind] ?? 0)
    return count >= this.#request.need
  }

  /** A node for each member that has to be placed; undefined where they do not fit. */
  nodes(): ReadonlyMap<string, string> | undefined {
    this.plans += 1
    const takers = this.#snapshot.nodes.filter(({ node }) => this.#slots.some(slots => slots.on(node.name) > 0))
    const cleared = takers.map(info => {
      const stays = info.pods.filter(pod => !this.#gone.has(pod.uid))
      return stays.length === info.pods.length ? info : nodeInfo(info.node, stays)
    })
    const found = plan(new Snapshot(cleared, true), this.#request, this.#profile)
    return found.outcome === 'planned' ? found.nodes : undefined
  }

  #spend(pod: Pod, count: 1 | -1): void {
    for (const [index, { uids }] of this.#budgets.entries())
      if (uids.has(pod.uid)) this.#spent[index] = (this.#spent[index] ?? 0) + count
  }
}

const nobody: ReadonlySet<string> = new Set()

export type TrialOptions = {
  readonly request: PlanRequest
  readonly profile: Profile
  readonly budgets: readonly Budget[]
  /** All that may ever go. */
  readonly steps: readonly Step[]
}
