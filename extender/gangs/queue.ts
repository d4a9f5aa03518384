import { KeptOrder } from '../../policies/kept-order.ts'
import type { Waiting } from '../../policies/order.ts'
import type { Explanation } from '../../policies/plan.ts'
import type { Crowd } from './planning/crowd.ts'
import { placeable, placed, satisfied, type Gang } from './membership/gang.ts'
import { isDegraded } from './membership/quorum.ts'
import type { Keeper } from './keeper.ts'
import type { Ledger } from './ledger.ts'
import type { Patience } from './effects/patience.ts'
import type { Roster } from './membership/roster.ts'

export type QueueParts = {
  readonly roster: Roster
  readonly ledger: Ledger
  readonly keeper: Keeper
  readonly patience: Patience
  readonly crowd: Crowd
  /** Told of who has no turn, and why. */
  readonly passedOver: (gang: Gang, explanation: Explanation) => void
}

type Entry = Waiting & { readonly isDegraded: boolean }

/**
 * Who is planned next: the gangs that have members without a place, best rank first, each once for each change. What
 * is asked for in one go may be more than there is time for; the rest stays, and what changes meanwhile joins it. The
 * order is kept: a change costs the logarithm of how many wait.
 */
export class Queue {
  readonly #parts: QueueParts
  /** Gang → what it looked like when it was last planned in vain. */
  readonly #tried = new Map<string, string>()
  readonly #changed = new Set<string>()
  /** Who is to be tried. */
  #next = new Line()
  /** Who has been, until room grows. */
  #past = new Line()
  /** The room for which all gangs were listed last. */
  #listed = -1

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  /** The gang has changed: it is worth another try. */
  add(key: string): void {
    this.#changed.add(key)
  }

  /**
   * Who is planned now; undefined when nobody is left. `room` is a number that grows whenever room may have grown: then
   * all gangs are tried, but only once the last list has come to its end, so that steady change starves nobody.
   */
  pop(room: number): Gang | undefined {
    for (;;) {
      this.#renew(room)
      const entry = this.#next.pop()
      if (!entry) return undefined
      this.#past.set(entry)
      const gang = this.#parts.roster.gang(entry.key)
      if (!gang) this.#past.delete(entry.key)
      else if (this.#isOpen(gang, room) && this.#isAdmitted(gang)) return gang
    }
  }

  #renew(room: number): void {
    if (this.#next.isEmpty && this.#listed !== room) {
      this.#listed = room
      ;[this.#next, this.#past] = [this.#past, this.#next]
    }
    for (const key of this.#changed) {
      const gang = this.#parts.roster.gang(key)
      this.#past.delete(key)
      // Whoever runs, or has a plan for all, stays out: they are most of a cluster's gangs.
      if (gang && this.#unplaced(gang).length > 0) this.#next.set(this.#entry(gang))
      else this.#next.delete(key)
    }
    this.#changed.clear()
  }

  #entry(gang: Gang): Entry {
    const { key, namespace, name, profile, rank } = gang
    const byProfile = profile.byAnnotation
      ? { priority: rank.own, annotationPriority: 0 }
      : { priority: gang.priority, annotationPriority: gang.annotationPriority }
    const size = profile.smallerFirst ? gang.members.length : 0
    return {
      ...{ key, namespace, name, size, createdAt: this.#turn(gang), isDegraded: isDegraded(gang) },
      ...byProfile
    }
  }

  /** There was no place for it, as things are; or, where it does not wait for one, nothing to do. */
  inVain(gang: Gang, room: number, waits: boolean): void {
    this.#tried.set(gang.key, this.#signature(gang, room))
    if (waits) this.#parts.crowd.enter(gang)
    else this.served(gang.key)
  }

  /** It waits no more, and somebody else may have a turn. */
  served(key: string): void {
    const next = this.#parts.crowd.leave(key)
    if (next !== undefined) this.#changed.add(next)
  }

  /** What has begun is finished, whoever waits. */
  #isAdmitted(gang: Gang): boolean {
    const { crowd, ledger, passedOver } = this.#parts
    if (placed(gang) > 0 || ledger.hold(gang.key) || crowd.admits(gang)) return true
    passedOver(gang, crowd.explain(gang.minMember ?? gang.members.length))
    return false
  }

  forget(key: string): void {
    this.served(key)
    this.#tried.delete(key)
    this.#changed.delete(key)
    this.#next.delete(key)
    this.#past.delete(key)
  }

  /** Since when it waits its turn: its age, or the last time that it had its turn and did not use it. */
  #turn(gang: Gang): number {
    const { keeper, patience } = this.#parts
    return Math.max(gang.createdAt, keeper.expiredAt(gang.key) ?? 0, patience.timedOutAt(gang.key) ?? 0)
  }

  #isOpen(gang: Gang, room: number): boolean {
    if (gang.problem !== undefined && placed(gang) === 0) return false
    if (!this.#parts.patience.mayPlan(gang.key) || this.#isLeaving(gang) || this.#isVictim(gang)) return false
    return this.#unplaced(gang).length > 0 && this.#tried.get(gang.key) !== this.#signature(gang, room)
  }

  /** Its turn has passed, and its old nominations still keep the room that others are to have now. */
  #isLeaving(gang: Gang): boolean {
    const { keeper, ledger } = this.#parts
    if (keeper.expiredAt(gang.key) === undefined || ledger.hold(gang.key)) return false
    return placeable(gang).some(pod => pod.nominatedNodeName !== undefined)
  }

  /** Members are being evicted: what their controllers make in their place waits until they have left. */
  #isVictim(gang: Gang): boolean {
    if (gang.ending) return true
    return gang.members.some(({ pod }) =>
      this.#parts.ledger.victimFor(pod.uid).some(({ leavers }) => leavers.get(pod.uid)?.evict)
    )
  }

  #unplaced(gang: Gang): string[] {
    const claims = this.#parts.ledger.hold(gang.key)?.claims
    return placeable(gang).flatMap(pod => (claims?.has(pod.uid) ? [] : [pod.uid]))
  }

  #signature(gang: Gang, room: number): string {
    return [
      room,
      gang.minMember,
      [...gang.roles].join(),
      gang.priority,
      satisfied(gang),
      ...this.#unplaced(gang)
    ].join()
  }
}

/** Entries in order. A gang that lost a member after its start comes first: its others run for nothing until it is whole again. */
class Line {
  readonly #degraded = new KeptOrder<Entry>()
  readonly #others = new KeptOrder<Entry>()

  get isEmpty(): boolean {
    return this.#degraded.size + this.#others.size === 0
  }

  set(entry: Entry): void {
    this.delete(entry.key)
    if (entry.isDegraded) this.#degraded.set(entry)
    else this.#others.set(entry)
  }

  delete(key: string): void {
    this.#degraded.delete(key)
    this.#others.delete(key)
  }

  pop(): Entry | undefined {
    return this.#degraded.pop() ?? this.#others.pop()
  }
}
