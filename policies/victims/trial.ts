import type { Profile } from '../framework.ts'
import type { PlanRequest } from '../plan.ts'
import { plan } from '../planner.ts'
import { Snapshot } from '../snapshot.ts'
import type { Ground } from './ground.ts'
import { Proof } from './proof.ts'
import type { Step } from './steps.ts'
import { thinned } from './thinning.ts'

/** After so many plans that came to no end none is made any more: what is not proven counts as not fitting. */
const mostDoubts = 8

export type TrialOptions = {
  /** By their numbers. */
  readonly steps: readonly Step[]
  readonly request: PlanRequest
  readonly profile: Profile
}

/** The cluster while steps are taken and put back, and whether the members fit now. */
export class Trial {
  readonly ground: Ground
  readonly request: PlanRequest
  /** By number. */
  readonly steps: readonly Step[]
  /** By step. */
  readonly isTaken: Uint8Array
  /** Nodes asked by the plans that were made: what the search has cost so far. */
  asked = 0
  /** Plans that came to no end. */
  doubts = 0
  readonly #profile: Profile
  /** By site, then by kind: how many fit, as last counted. */
  readonly #slots: Int32Array
  /** By kind. */
  readonly #totals: number[]
  readonly #isStale: Uint8Array
  readonly #stale: number[] = []
  /** The sites that are planned with. */
  #field: readonly number[]
  readonly #proof: Proof

  constructor(ground: Ground, { steps, request, profile }: TrialOptions) {
    this.ground = ground
    this.request = request
    this.steps = steps
    this.isTaken = new Uint8Array(steps.length)
    this.#profile = profile
    this.#totals = ground.wants.kinds.map(() => 0)
    this.#slots = new Int32Array(ground.infos.length * this.#totals.length)
    this.#isStale = new Uint8Array(ground.infos.length)
    this.#field = ground.useful
    this.#proof = new Proof(profile.filters)
    for (const site of ground.useful) this.#count(site)
  }

  take(step: Step): void {
    if (this.isTaken[step.id]) return
    this.isTaken[step.id] = 1
    this.#eachLot(step, lot => this.ground.take(lot))
  }

  put(step: Step): void {
    if (!this.isTaken[step.id]) return
    this.isTaken[step.id] = 0
    this.#eachLot(step, (lot, site) => {
      this.ground.put(lot)
      this.#proof.narrow(site)
    })
  }

  takeAll(steps: readonly Step[]): void {
    for (const step of steps) this.take(step)
  }

  putAll(steps: readonly Step[]): void {
    for (const step of steps) this.put(step)
  }

  /** The sites where the step makes room. */
  sitesOf({ id }: Step): Int32Array {
    const { from, siteOf } = this.ground.lots
    return siteOf.subarray(from[id] ?? 0, from[id + 1] ?? 0)
  }

  /** With one kind of member counting is certain, and costs no plan. */
  get isCounted(): boolean {
    return this.#totals.length === 1
  }

  /** By kind: how many fit if no other kind comes. */
  totals(): readonly number[] {
    for (const site of this.#stale) {
      this.#count(site)
      this.#isStale[site] = 0
    }
    this.#stale.length = 0
    return this.#totals
  }

  /** Whether `need` members fit: certain for one kind of member, else as the planner finds. */
  fits(): boolean {
    if (!this.#mayFit()) return false
    if (this.isCounted || this.#proof.holds(site => this.ground.now(site))) return true
    return this.doubts < mostDoubts && this.#plan(this.#field) !== undefined
  }

  /** A node for each member that has to be placed; undefined where they do not fit. */
  nodes(): ReadonlyMap<string, string> | undefined {
    this.totals()
    return this.#plan(this.ground.useful)
  }

  /** From now on, unless undefined, only these steps are taken and put: other sites matter as far as they are of use. */
  focus(steps: readonly Step[] | undefined): void {
    this.#field = this.ground.useful
    if (this.isCounted || !steps) return
    this.totals()
    const touched = new Set(steps.flatMap(step => [...this.sitesOf(step)]))
    const others = this.ground.useful.filter(site => !touched.has(site) && this.#takesAny(site))
    const kept = new Set(thinned(this.ground, others))
    this.#field = this.ground.useful.filter(site => touched.has(site) || kept.has(site))
  }

  /** False where each kind for itself finds too little room: then no plan is worth making. */
  #mayFit(): boolean {
    let count = 0
    for (const [kind, total] of this.totals().entries())
      count += Math.min(total, this.ground.wants.kinds[kind]?.pods.length ?? 0)
    return count >= this.request.need
  }

  #eachLot({ id }: Step, change: (lot: number, site: number) => void): void {
    const { from, siteOf } = this.ground.lots
    const end = from[id + 1] ?? 0
    for (let lot = from[id] ?? 0; lot < end; lot++) {
      const site = siteOf[lot] ?? 0
      change(lot, site)
      if (this.#isStale[site]) continue
      this.#isStale[site] = 1
      this.#stale.push(site)
    }
  }

  #plan(field: readonly number[]): ReadonlyMap<string, string> | undefined {
    const takers = field.filter(site => this.#takesAny(site))
    this.asked += takers.length
    const cluster = new Snapshot(
      takers.map(site => this.ground.now(site)),
      true
    )
    const found = plan(cluster, this.request, this.#profile)
    if (found.outcome === 'unknown') this.doubts += 1
    if (found.outcome !== 'planned') return undefined
    this.#proof.record(this.request.pods, found.nodes)
    return found.nodes
  }

  #takesAny(site: number): boolean {
    return this.#totals.some((_, kind) => this.#slotsOf(site, kind) > 0)
  }

  #slotsOf(site: number, kind: number): number {
    return this.#slots[site * this.#totals.length + kind] ?? 0
  }

  #count(site: number): void {
    for (let kind = 0; kind < this.#totals.length; kind++) {
      const count = this.ground.slots(site, kind)
      this.#totals[kind] = (this.#totals[kind] ?? 0) + count - this.#slotsOf(site, kind)
      this.#slots[site * this.#totals.length + kind] = count
    }
  }
}
