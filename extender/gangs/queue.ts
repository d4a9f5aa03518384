import { order, type Waiting } from '../../policies/order.ts'
import { placeable, placed, satisfied, type Gang } from './gang.ts'
import { isDegraded } from './quorum.ts'
import type { Keeper } from './keeper.ts'
import type { Ledger } from './ledger.ts'
import type { Patience } from './patience.ts'
import type { Roster } from './roster.ts'

export type QueueParts = {
  readonly roster: Roster
  readonly ledger: Ledger
  readonly keeper: Keeper
  readonly patience: Patience
}

/**
 * Who is planned next: the gangs that have members without a place, best rank first, each once for each change. What
 * is asked for in one go may be more than there is time for; the rest stays, and what changes meanwhile joins it.
 */
export class Queue {
  readonly #parts: QueueParts
  /** Gang → what it looked like when it was last planned in vain. */
  readonly #tried = new Map<string, string>()
  readonly #changed = new Set<string>()
  /** Who is to be tried, the best last; all gangs, where room has grown. */
  #list: string[] = []
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
   * all gangs are listed, but only once the last list has come to its end, so that steady change starves nobody.
   */
  pop(room: number): Gang | undefined {
    for (;;) {
      this.#renew(room)
      const key = this.#list.pop()
      if (key === undefined) return undefined
      const gang = this.#parts.roster.gang(key)
      if (gang && this.#isOpen(gang, room)) return gang
    }
  }

  #renew(room: number): void {
    if (this.#list.length === 0 && this.#listed !== room) {
      this.#listed = room
      this.#list = this.#ordered(this.#parts.roster.keys(), room)
    } else if (this.#changed.size > 0) this.#list = this.#ordered([...this.#changed, ...this.#list], room)
    this.#changed.clear()
  }

  /** Those of `keys` that are worth planning, the best last. */
  #ordered(keys: Iterable<string>, room: number): string[] {
    const gangs = [...new Set(keys)].map(key => this.#parts.roster.gang(key)).filter(gang => gang !== undefined)
    const open = gangs.filter(gang => this.#isOpen(gang, room))
    const ordered = order(open.map(gang => this.#entry(gang))).map(entry => entry.gang)
    // A gang that lost a member after its start comes first: its others run for nothing until it is whole again.
    const sorted = [...ordered.filter(isDegraded), ...ordered.filter(gang => !isDegraded(gang))]
    return sorted.map(gang => gang.key).toReversed()
  }

  #entry(gang: Gang): Waiting & { readonly gang: Gang } {
    const { key, namespace, name, profile, rank } = gang
    const byProfile = profile.byAnnotation
      ? { priority: rank.own, annotationPriority: 0 }
      : { priority: gang.priority, annotationPriority: gang.annotationPriority }
    const size = profile.smallerFirst ? gang.members.length : 0
    return { ...{ key, namespace, name, gang, size, createdAt: this.#turn(gang) }, ...byProfile }
  }

  /** There was no place for it, as things are. */
  inVain(gang: Gang, room: number): void {
    this.#tried.set(gang.key, this.#signature(gang, room))
  }

  forget(key: string): void {
    this.#tried.delete(key)
    this.#changed.delete(key)
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
