import { runFilters, type Profile } from '../../policies/framework.ts'
import { pinnedNode } from '../../policies/pin.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import type { State } from '../state.ts'
import type { Barrier } from './effects/barrier.ts'
import type { Commit } from './effects/commit.ts'
import type { Handover } from './effects/handover.ts'
import { placeable, type Gang } from './membership/gang.ts'
import { isWhole } from './membership/quorum.ts'
import type { Journal } from './telling/journal.ts'
import type { Evictions } from './effects/evictions.ts'
import { cleared, type Hold, type Ledger } from './ledger.ts'
import { isRefusedNominee, Lingering, type Nominee } from './lingering.ts'
import type { Moves } from './planning/moves.ts'
import { overfull } from './planning/overfull.ts'
import type { Refusal, Refusals } from './planning/refusals.ts'

/** When to look whether a suspicion has been met with silence; see refusals.ts. */
const silenceMs = 3_100

export type KeeperParts = {
  readonly state: State
  readonly ledger: Ledger
  readonly barrier: Barrier
  readonly commit: Commit
  readonly handover: Handover
  readonly refusals: Refusals
  readonly journal: Journal
  readonly evictions: Evictions
  readonly moves: Moves
  readonly profileOf: (pod: Pod) => Profile | undefined
  readonly clock: Clock
  readonly holdTtlMs: number
  readonly groupOf: (pod: Pod) => string | undefined
  /** The gang did not use its turn: the next one comes later and later. */
  readonly standBack: (gang: string) => void
  /** The gang must be planned again; room may have grown for others too. */
  readonly lost: (gang: string) => void
  readonly revisit: (gang: string) => void
}

/** Keeps holds honest: gives up what cannot start any more, where it is learnt and at once. */
export class Keeper {
  readonly #parts: KeeperParts
  /** Gang → when its hold expired last, on the wall clock: it stands behind its equals from then on. */
  readonly #expired = new Map<string, number>()
  readonly #lingering: Lingering

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.#lingering = new Lingering(parts)
  }

  /** When the gang lost its turn by not starting in time, if it did. */
  expiredAt(key: string): number | undefined {
    return this.#expired.get(key)
  }

  forget(key: string): void {
    this.withdraw(key, 'all its members are gone')
    this.#parts.evictions.withdrawn(key)
    this.#parts.commit.forget(key)
    this.#parts.handover.forget(key)
    this.#expired.delete(key)
    this.#lingering.forget(key)
    this.#parts.refusals.forget(key)
  }

  /** The gang's plan is given up whole; fine without one. */
  withdraw(key: string, cause: string): void {
    const { ledger, commit, barrier, journal, evictions, moves, refusals, lost } = this.#parts
    const hold = ledger.hold(key)
    if (!hold) return
    ledger.release(key)
    for (const uid of hold.claims.keys()) refusals.clear(uid)
    commit.forget(key)
    evictions.withdrawn(key)
    moves.calledOff(key)
    barrier.fail(key, `the gang's plan was withdrawn: ${cause}`)
    journal.withdrawn(key, hold, cause)
    lost(key)
  }

  /** Takes out of the gang's hold what is not to be placed any more, and gives up a plan that cannot start. */
  review(gang: Gang): void {
    this.#dropPlaced(gang)
    this.#suspectLingering(gang.key)
    this.#dropRefused(gang.key)
    this.#dropPinned(gang.key)
    const { ledger, commit, handover } = this.#parts
    // All who stood are gone: what is left is no more than a plan.
    if (!handover.review(gang) && !commit.hasBegun(gang)) ledger.setFirm(gang.key, false)
    const hold = ledger.hold(gang.key)
    if (!hold) {
      // All who were planned are gone or placed; where the quorum is not there, who left for it left in vain.
      if (!isWhole(gang)) this.#parts.evictions.withdrawn(gang.key)
      return
    }
    if (hold.firm) this.#renew(hold)
    else this.#judge(gang, hold)
  }

  /** kube-scheduler would not take the planned node for this pod, although it was nominated for it. */
  refused(pod: Pod, node: string, offered?: readonly string[]): void {
    const { ledger, refusals, state, clock, revisit } = this.#parts
    const found = ledger.of(pod.uid)
    if (found?.claim.node !== node) return
    const { gang } = found.hold
    // A pinned member may go nowhere else: what it is not offered teaches nothing about others of its shape.
    const told = { pod: found.claim.pod, offered: pinnedNode(pod) === undefined ? offered : undefined }
    if (refusals.suspect({ ...told, gang, node, ...this.#taken(found.hold, node) }, state.snapshot())) {
      this.#drop(found.hold, pod.uid, `kube-scheduler refuses node ${node}`)
    } else clock.after(silenceMs, () => revisit(found.hold.gang))
  }

  /** kube-scheduler would take the pod on these nodes now. */
  offered(pod: Pod, names: () => readonly string[]): void {
    const key = this.#parts.groupOf(pod)
    if (key !== undefined && this.#parts.refusals.unlearn(pod, names)) this.#parts.lost(key)
  }

  /** What kube-scheduler has taken of the gang, seen from a node that it refuses to one more member. */
  #taken(hold: Hold, node: string): Pick<Refusal, 'siblings' | 'uneven' | 'toCome'> {
    const siblings = this.#siblings(hold, node)
    const toCome = [...hold.claims.values()].filter(claim => !this.#parts.commit.has(claim.pod.uid))
    const elsewhere = toCome.map(claim => claim.node).filter(other => other !== node)
    const uneven = elsewhere.some(other => this.#siblings(hold, other) < siblings)
    return { siblings, uneven, toCome: elsewhere.length }
  }

  /** Members of the gang that kube-scheduler took on that node: they stand there, or wait to be bound. */
  #siblings(hold: Hold, node: string): number {
    const { commit, state, groupOf } = this.#parts
    const arrived = [...hold.claims.values()].filter(claim => claim.node === node && commit.has(claim.pod.uid))
    const standing = state.node(node)?.pods.filter(pod => groupOf(pod) === hold.gang) ?? []
    return arrived.length + standing.length
  }

  /** Whether all that is held still fits where it is held; a plan that does not is given up. */
  stillFits(hold: Hold): boolean {
    for (const node of new Set([...hold.claims.values()].map(claim => claim.node))) this.checkNode(node)
    return this.#parts.ledger.hold(hold.gang)?.plan === hold.plan
  }

  /** The node has changed, or somebody stands on it now: gives up the plans that no longer go there. */
  checkNode(name: string): void {
    const { ledger, state, profileOf } = this.#parts
    if (ledger.on(name).length === 0) return
    const info = state.node(name)
    for (const { hold, pod } of this.#claimsOn(name)) {
      if (!info || runFilters(profileOf(pod)?.filters ?? [], pod.shape, cleared(info, [hold])))
        this.#drop(hold, pod.uid, `node ${name} does not take it any more`)
    }
    const broken = new Set(overfull(name, { state, ledger }))
    for (const { hold, pod } of this.#claimsOn(name)) {
      if (broken.has(hold.gang)) this.#drop(hold, pod.uid, `the room on node ${name} was taken`)
    }
  }

  #claimsOn(node: string): { readonly hold: Hold; readonly pod: Pod }[] {
    return this.#parts.ledger
      .on(node)
      .flatMap(hold => [...hold.claims.values()].filter(claim => claim.node === node).map(({ pod }) => ({ hold, pod })))
  }

  /** One member cannot go where it was planned: the whole plan goes, or, once begun, that member's part of it. */
  #drop(hold: Hold, uid: string, cause: string): void {
    const { ledger, refusals, barrier, lost } = this.#parts
    if (!hold.firm) {
      this.withdraw(hold.gang, cause)
      return
    }
    ledger.releaseMember(uid)
    refusals.clear(uid)
    barrier.leave(hold.gang, uid, cause)
    lost(hold.gang)
  }

  /** kube-scheduler that refuses a pod in the words of the last time writes nothing, so nobody hears of it. */
  #suspectLingering(key: string): void {
    const { refusals: learnt } = this.#parts
    for (const { pod, node } of this.#lingering.due(key, this.#refusedNominees(key)))
      if (!learnt.suspected(pod.uid, node)) this.refused(pod, node, [])
  }

  #refusedNominees(key: string): Nominee[] {
    const { ledger, state, commit } = this.#parts
    return [...(ledger.hold(key)?.claims ?? [])].flatMap(([uid, { node }]) => {
      const pod = state.pod(uid)
      return pod && !commit.has(uid) && isRefusedNominee(pod, node) ? [{ pod, node }] : []
    })
  }

  #dropPlaced(gang: Gang): void {
    const { ledger, barrier } = this.#parts
    const live = new Set(placeable(gang).map(pod => pod.uid))
    for (const uid of ledger.hold(gang.key)?.claims.keys() ?? []) {
      if (live.has(uid)) continue
      ledger.releaseMember(uid)
      barrier.leave(gang.key, uid, 'the pod is gone, or on a node already')
    }
  }

  #dropRefused(key: string): void {
    const { ledger, refusals, state, commit } = this.#parts
    for (const { pod, node } of ledger.hold(key)?.claims.values() ?? []) {
      const hold = ledger.hold(key)
      if (!hold || !refusals.suspected(pod.uid, node)) continue
      const refusal = { pod, gang: key, node, ...this.#taken(hold, node) }
      // It came through after all.
      if (commit.has(pod.uid)) refusals.clear(pod.uid)
      else if (refusals.confirmBySilence(refusal, state.snapshot())) {
        this.#drop(hold, pod.uid, `kube-scheduler refuses node ${node}`)
      }
    }
  }

  /** A pin that came through after its plan was given up: the member can go nowhere else any more. */
  #dropPinned(key: string): void {
    const { ledger, state } = this.#parts
    for (const [uid, { node }] of ledger.hold(key)?.claims ?? []) {
      const [hold, pod] = [ledger.hold(key), state.pod(uid)]
      const pin = pod && pinnedNode(pod)
      if (hold && pin !== undefined && pin !== node) this.#drop(hold, uid, `a member is pinned to node ${pin}`)
    }
  }

  #judge(gang: Gang, hold: Hold): void {
    const { clock, journal } = this.#parts
    if (gang.problem !== undefined) this.withdraw(gang.key, gang.problem)
    else if (gang.ending) this.withdraw(gang.key, 'it is being ended')
    else if (gang.minMember !== undefined && !isWhole(gang, hold.claims)) this.withdraw(gang.key, 'a member is gone')
    else if (clock.now() >= hold.expiresAt) {
      journal.expired()
      this.#expired.set(gang.key, clock.wall())
      this.#parts.standBack(gang.key)
      this.withdraw(gang.key, 'it did not start in time')
    }
  }

  /** What has begun keeps its room as long as the members exist. */
  #renew(hold: Hold): void {
    const { ledger, clock, holdTtlMs, revisit } = this.#parts
    if (clock.now() < hold.expiresAt) return
    ledger.renew(hold.gang, clock.now() + holdTtlMs)
    clock.after(holdTtlMs + 1, () => revisit(hold.gang))
  }
}
