import { refusals } from '../../policies/names.ts'
import { shownNode } from '../../policies/pin.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import type { PodChange, State, StateListener } from '../state.ts'
import { formerPlan } from './planning/adoption.ts'
import type { Evictions } from './effects/evictions.ts'
import type { Keeper } from './keeper.ts'
import type { Ledger } from './ledger.ts'
import type { Moves } from './planning/moves.ts'
import type { Outlook } from './planning/outlook.ts'
import type { Planning } from './planning/planning.ts'
import type { Reconciler } from './effects/reconciler.ts'
import type { Refusals } from './planning/refusals.ts'
import type { Roster } from './membership/roster.ts'
import type { Rounds } from './rounds.ts'

export type CoordinatorParts = {
  readonly state: State
  readonly roster: Roster
  readonly ledger: Ledger
  readonly planning: Planning
  readonly keeper: Keeper
  readonly reconciler: Reconciler
  readonly evictions: Evictions
  readonly moves: Moves
  readonly refusals: Refusals
  readonly rounds: Rounds
  readonly outlook: Outlook
  readonly clock: Clock
  readonly holdTtlMs: number
}

/**
 * What events mean: every change marks the gangs that it touches, takes back what no longer holds and learns what it
 * teaches. The watch drives it; the verbs never come here to plan.
 */
export class Coordinator implements StateListener {
  readonly #parts: CoordinatorParts
  #started = false

  constructor(parts: CoordinatorParts) {
    this.#parts = parts
  }

  /** Once everything is listed: takes over what a former life decided, then plans. */
  start(): void {
    const { roster, planning } = this.#parts
    this.#started = true
    const found = [...roster.keys()].flatMap(key => {
      const gang = roster.gang(key)
      const former = gang && formerPlan(gang)
      return gang && former ? [{ gang, former }] : []
    })
    // Whoever has begun needs that very room; a mere hint of somebody else must not be first to take it.
    const inTurn = found.toSorted((a, b) => Number(b.former.begun) - Number(a.former.begun))
    for (const { gang, former } of inTurn) planning.adopt(gang, former)
    this.#parts.rounds.start()
  }

  podChanged(change: PodChange): void {
    const { before, after } = change
    const { roster, reconciler, outlook } = this.#parts
    for (const key of roster.podChanged(change)) this.#parts.rounds.revisit(key)
    outlook.podChanged(change)
    if (after) reconciler.observe(after)
    if (before && (!after || after.nodeName !== undefined)) {
      reconciler.forget(before.uid)
      this.#parts.refusals.clear(before.uid)
    }
    this.#giveRoom(change)
    if (!this.#started || !after) return
    this.#learn(before, after)
    this.#takeRoom(after)
  }

  nodeChanged(name: string): void {
    this.#parts.outlook.nodeChanged(name)
    this.#parts.rounds.roomGrew()
    if (this.#started) this.#parts.keeper.checkNode(name)
  }

  controllerChanged(uid: string): void {
    for (const key of this.#parts.roster.gangsOfController(uid)) this.#parts.rounds.revisit(key)
  }

  /** Who may be evicted has changed. */
  budgetChanged(): void {
    this.#parts.rounds.roomGrew()
  }

  podGroupChanged(key: string): void {
    for (const gang of this.#parts.roster.gangsOfPodGroup(key)) this.#parts.rounds.revisit(gang)
  }

  #giveRoom(change: PodChange): void {
    if (change.before && hasLeft(change)) this.#left(change.before)
    if (this.#freesRoom(change)) this.#parts.rounds.roomGrew()
  }

  /** The pod makes room: whose plan has waited for it goes on once it was the last. */
  #left(pod: Pod): void {
    const { ledger, evictions, moves, clock, holdTtlMs } = this.#parts
    evictions.left(pod.uid)
    moves.left(pod)
    for (const hold of ledger.left(pod.uid)) {
      if (hold.leavers.size > 0) continue
      const expiresAt = clock.now() + holdTtlMs
      ledger.renew(hold.gang, expiresAt)
      this.#parts.rounds.watchExpiry({ ...hold, expiresAt })
      this.#parts.rounds.revisit(hold.gang)
    }
  }

  /** A refusal that shows on the pod: its condition changed while its nomination or pin stood, and not by our own words. */
  #learn(before: Pod | undefined, after: Pod): void {
    const node = this.#parts.ledger.of(after.uid)?.claim.node
    if (node === undefined || after.gates.length > 0 || !before || shownNode(before) !== node) return
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
    this.#parts.moves.settled(pod, node)
    if (pod.nodeName !== undefined) ledger.releaseMember(pod.uid)
    keeper.checkNode(node)
  }

  #freesRoom({ before, after }: PodChange): boolean {
    if (!before) return false
    if (!after || isDone(after)) return true
    // Whoever leaves is waited for, instead of evicting others.
    if (after.nodeName !== undefined) return before.shape !== after.shape || before.terminating !== after.terminating
    const unbound = before === after && this.#parts.state.nodeOf(after) === undefined
    const denominated = before.nominatedNodeName !== undefined && before.nominatedNodeName !== after.nominatedNodeName
    return unbound || denominated
  }
}

const isDone = (pod: Pod): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed'

/** It takes no room on its node any more. */
function hasLeft({ before, after }: PodChange): boolean {
  return before?.nodeName !== undefined && (!after || isDone(after))
}

/** kube-scheduler's words, where it found no node for the pod. */
function refusalOf({ scheduled }: Pod): string | undefined {
  return scheduled?.reason === 'Unschedulable' ? scheduled.message : undefined
}
