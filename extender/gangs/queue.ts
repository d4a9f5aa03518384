import { order } from '../../policies/order.ts'
import { isDegraded, placeable, placed, satisfied, type Gang } from './gang.ts'
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

/** Who is planned next: the gangs that have members without a place, best rank first, each once for each change. */
export class Queue {
  readonly #parts: QueueParts
  /** Gang → what it looked like when it was last planned in vain. */
  readonly #tried = new Map<string, string>()

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  /** Those of `keys` that are worth planning, in order. `room` is a number that grows whenever room may have grown. */
  next(keys: Iterable<string>, room: number): Gang[] {
    const gangs = [...keys].map(key => this.#parts.roster.gang(key)).filter(gang => gang !== undefined)
    const open = gangs.filter(gang => this.#isOpen(gang, room))
    const ordered = order(open.map(gang => ({ ...gang, gang, createdAt: this.#turn(gang) }))).map(entry => entry.gang)
    // A gang that lost a member after its start comes first: its others run for nothing until it is whole again.
    return [...ordered.filter(isDegraded), ...ordered.filter(gang => !isDegraded(gang))]
  }

  /** There was no place for it, as things are. */
  inVain(gang: Gang, room: number): void {
    this.#tried.set(gang.key, this.#signature(gang, room))
  }

  forget(key: string): void {
    this.#tried.delete(key)
  }

  /** Since when it waits its turn: its age, or the last time that it had its turn and did not use it. */
  #turn(gang: Gang): number {
    const { keeper, patience } = this.#parts
    return Math.max(gang.createdAt, keeper.expiredAt(gang.key) ?? 0, patience.timedOutAt(gang.key) ?? 0)
  }

  #isOpen(gang: Gang, room: number): boolean {
    if (gang.problem !== undefined && placed(gang) === 0) return false
    if (!this.#parts.patience.mayPlan(gang.key)) return false
    return this.#unplaced(gang).length > 0 && this.#tried.get(gang.key) !== this.#signature(gang, room)
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
