import { refusals } from '../../policies/names.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import type { PodChange, State, StateListener } from '../state.ts'
import { formerPlan } from './adoption.ts'
import type { Commit } from './commit.ts'
import type { Gang } from './gang.ts'
import type { Journal } from './journal.ts'
import type { Keeper } from './keeper.ts'
import type { Ledger } from './ledger.ts'
import type { Patience } from './patience.ts'
import type { Planning } from './planning.ts'
import type { OnViolation } from './ports.ts'
import type { Queue } from './queue.ts'
import type { Reconciler } from './reconciler.ts'
import type { Refusals } from './refusals.ts'
import type { Roster } from './roster.ts'

/** A pass gives the event loop back after this long, so that the verbs never wait for planning. */
const sliceMs = 10

export type CoordinatorParts = {
  readonly state: State
  readonly roster: Roster
  readonly ledger: Ledger
  readonly planning: Planning
  readonly queue: Queue
  readonly keeper: Keeper
  readonly patience: Patience
  readonly commit: Commit
  readonly reconciler: Reconciler
  readonly refusals: Refusals
  readonly journal: Journal
  readonly clock: Clock
  readonly resyncMs: number
  readonly onViolation: OnViolation
}

/**
 * From events to plans to effects. The watch drives it: every change marks gangs, and a pass looks at the marked ones
 * in the order of their ranks. The verbs never come here to plan.
 */
export class Coordinator implements StateListener {
  readonly #parts: CoordinatorParts
  readonly #dirty = new Set<string>()
  /** What is to be shown to the API and to people. */
  readonly #touched = new Set<string>()
  /** Grows whenever room may have grown somewhere: waiting gangs are tried again. */
  #room = 0
  #scheduled = false
  #started = false

  constructor(parts: CoordinatorParts) {
    this.#parts = parts
  }

  /** Once everything is listed: takes over what a former life decided, then plans. */
  start(): void {
    const { roster, planning } = this.#parts
    this.#started = true
    for (const key of roster.keys()) {
      const gang = roster.gang(key)
      const former = gang && formerPlan(gang)
      if (gang && former) planning.adopt(gang, former)
    }
    this.#resync()
  }

  podChanged(change: PodChange): void {
    const { before, after } = change
    const { roster, reconciler } = this.#parts
    for (const key of roster.podChanged(change)) this.revisit(key)
    if (after) reconciler.observe(after)
    if (before && (!after || after.nodeName !== undefined)) {
      reconciler.forget(before.uid)
      this.#parts.refusals.clear(before.uid)
    }
    if (this.#freesRoom(change)) this.#roomGrew()
    if (!this.#started || !after) return
    this.#learn(before, after)
    this.#takeRoom(after)
  }

  nodeChanged(name: string): void {
    this.#roomGrew()
    if (this.#started) this.#parts.keeper.checkNode(name)
  }

  controllerChanged(uid: string): void {
    for (const key of this.#parts.roster.gangsOfController(uid)) this.revisit(key)
  }

  podGroupChanged(key: string): void {
    for (const gang of this.#parts.roster.gangsOfPodGroup(key)) this.revisit(gang)
  }

  /** Looks at the gang again in the next pass. */
  revisit(key: string): void {
    this.#dirty.add(key)
    this.#schedule()
  }

  /** The gang has lost room that was held for it. */
  lost(key: string): void {
    this.#parts.queue.forget(key)
    this.#roomGrew()
    this.revisit(key)
  }

  #schedule(): void {
    if (this.#scheduled || !this.#started) return
    this.#scheduled = true
    this.#parts.clock.after(0, () => {
      this.#scheduled = false
      try {
        this.#pass()
      } catch (error) {
        this.#parts.onViolation(error)
      }
    })
  }

  #pass(): void {
    const { clock, queue } = this.#parts
    const until = clock.now() + sliceMs
    const more = (): boolean => clock.now() < until
    // 1. What is marked: holds that cannot start are given up before anybody plans.
    drain(this.#dirty, more, key => {
      this.#review(key)
      this.#touched.add(key)
      queue.add(key)
    })
    // 2. Those who wait, best rank first. At least one: else many gangs could use up the slice before any is planned.
    if (this.#dirty.size === 0) {
      do {
        const gang = queue.pop(this.#room)
        if (!gang) break
        this.#try(gang)
      } while (more())
    }
    // 3. The API is made to show it.
    drain(this.#touched, more, key => this.#show(key))
    if (this.#dirty.size > 0 || this.#touched.size > 0 || !more()) this.#schedule()
  }

  #review(key: string): void {
    const { roster, keeper, clock } = this.#parts
    const gang = roster.gang(key)
    if (!gang) {
      this.#forget(key)
      return
    }
    const settlesIn = roster.settlesIn(key)
    if (settlesIn > 0) clock.after(settlesIn + 1, () => this.revisit(key))
    keeper.review(gang)
  }

  #forget(key: string): void {
    const { keeper, patience, journal, queue } = this.#parts
    for (const part of [keeper, patience, journal, queue]) part.forget(key)
  }

  #show(key: string): void {
    const { roster, journal, ledger, patience, reconciler, commit } = this.#parts
    const gang = roster.gang(key)
    if (!gang) return
    // Only now: a gang whose time is up has had its turn.
    patience.review(gang, ledger.hold(key))
    journal.look(gang, ledger.hold(key))
    reconciler.reconcile(gang)
    commit.check(key)
  }

  #try(gang: Gang): void {
    const { planning, journal, ledger, clock, keeper, queue } = this.#parts
    this.#touched.add(gang.key)
    const attempt = planning.attempt(gang)
    if (attempt.outcome !== 'reserved') {
      queue.inVain(gang, this.#room)
      journal.explained(gang, attempt.outcome === 'nothing' ? undefined : attempt)
      return
    }
    const hold = ledger.hold(gang.key)
    if (hold) {
      journal.planned(gang, hold)
      clock.after(hold.expiresAt - clock.now() + 1, () => this.revisit(gang.key))
    }
    this.#show(gang.key)
    for (const key of attempt.displaced)
      keeper.withdraw(key, `gang ${gang.namespace}/${gang.name} of higher rank takes its room`)
  }

  /** A refusal that shows on the pod: its condition changed while its nomination stood, and not by our own words. */
  #learn(before: Pod | undefined, after: Pod): void {
    const node = this.#parts.ledger.of(after.uid)?.claim.node
    if (node === undefined || after.gates.length > 0 || before?.nominatedNodeName !== node) return
    const message = refusalOf(after)
    if (message === undefined || message === refusalOf(before) || message.includes(refusals.waiting)) return
    // It was not even sent to muster: there is no node that it would take.
    this.#parts.keeper.refused(after, node, [])
  }

  /** A pod stands on a node now: its own hold has done its work, and others' plans may have lost their room. */
  #takeRoom(pod: Pod): void {
    const { state, ledger, keeper } = this.#parts
    const node = state.nodeOf(pod)
    if (node === undefined) return
    if (pod.nodeName !== undefined) ledger.releaseMember(pod.uid)
    keeper.checkNode(node)
  }

  #freesRoom({ before, after }: PodChange): boolean {
    if (!before) return false
    if (!after || after.phase === 'Succeeded' || after.phase === 'Failed') return true
    if (after.nodeName !== undefined) return before.shape !== after.shape
    const unbound = before === after && this.#parts.state.nodeOf(after) === undefined
    const denominated = before.nominatedNodeName !== undefined && before.nominatedNodeName !== after.nominatedNodeName
    return unbound || denominated
  }

  #roomGrew(): void {
    this.#room += 1
    this.#schedule()
  }

  /** The level-triggered backstop: whatever was missed is found by looking at everything again. */
  #resync(): void {
    this.#roomGrew()
    for (const key of this.#parts.roster.keys()) this.revisit(key)
    this.#parts.clock.after(this.#parts.resyncMs, () => this.#resync())
  }
}

/** Does `each` of the set, the first in any case, the others while there is time; who is done is taken out first. */
function drain(keys: Set<string>, more: () => boolean, each: (key: string) => void): void {
  for (const key of keys) {
    keys.delete(key)
    each(key)
    if (!more()) return
  }
}

/** kube-scheduler's words, where it found no node for the pod. */
function refusalOf({ scheduled }: Pod): string | undefined {
  return scheduled?.reason === 'Unschedulable' ? scheduled.message : undefined
}
