import { endingMark } from '../../../policies/names.ts'
import { nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Evictions } from './evictions.ts'
import { endingMembers, type Gang } from '../membership/gang.ts'
import type { Ledger } from '../ledger.ts'
import type { Log, Terminator, WriteResult } from '../ports.ts'
import type { Rights } from '../rights.ts'
import type { WriteQueue } from './write-queue.ts'

/** A mark that failed, or that the watch has not shown, is written again after this. */
const confirmMs = 5_000

export type EndingsParts = {
  readonly ledger: Ledger
  readonly evictions: Evictions
  readonly terminator: Terminator
  readonly writes: WriteQueue
  readonly clock: Clock
  readonly log: Log
  readonly rights: Rights
  /** As the watch shows it. */
  readonly podNow: (uid: string) => Pod | undefined
  readonly revisit: (gang: string) => void
}

/**
 * Ends gangs whole. One member is marked first and evicted last: whatever happens in between, even to muster itself,
 * whoever sees the mark finishes what was begun, so that no gang is left half ended.
 */
export class Endings {
  readonly #parts: EndingsParts
  /** Uid of the member to be marked, or to lose its mark → not again before, in monotonic milliseconds. */
  readonly #marking = new Map<string, number>()

  constructor(parts: EndingsParts) {
    this.#parts = parts
  }

  /** Begins to end the gangs that the plan of this gang ends whole. */
  begin(key: string): void {
    const hold = this.#parts.ledger.hold(key)
    const leavers = [...(hold?.leavers.values() ?? [])].filter(({ evict, whole }) => evict && whole !== undefined)
    for (const members of Map.groupBy(leavers, ({ whole }) => whole).values()) {
      const pods = members.map(({ pod }) => this.#parts.podNow(pod.uid) ?? pod)
      const last = pods.toSorted((a, b) => (a.name < b.name ? -1 : 1)).at(-1)
      if (hold && last && !pods.some(pod => pod.terminating || isMarked(pod)))
        this.#mark(last, { gang: key, plan: hold.plan })
    }
  }

  /** Goes on with the gang's own end, if it has begun. */
  finish(gang: Gang): void {
    if (!gang.ending) return
    const { marked, others } = endingMembers(gang)
    // What cannot be finished is called off: what is left of the gang goes on.
    if (this.#parts.rights.lack('evict', gang.namespace) !== undefined) {
      for (const pod of marked) this.#mark(pod, { gang: gang.key, plan: undefined })
      return
    }
    for (const pod of others.length > 0 ? others : marked) {
      const [preemptor] = this.#parts.ledger.victimFor(pod.uid)
      this.#parts.evictions.evict(pod, { gang: preemptor?.gang ?? gang.key, ending: gang.key, isWanted: () => true })
    }
  }

  /** Marks the pod for that gang's plan; without a plan it takes the pod's mark away. */
  #mark(pod: Pod, { gang, plan }: { readonly gang: string; readonly plan: string | undefined }): void {
    const { clock, ledger, terminator, writes, revisit } = this.#parts
    const key = plan === undefined ? `no mark ${pod.uid}` : pod.uid
    if (clock.now() < (this.#marking.get(key) ?? 0)) return
    this.#marking.set(key, Number.POSITIVE_INFINITY)
    writes.push(async () => {
      // The plan may have been given up while the mark waited for its turn.
      if (plan === undefined || ledger.hold(gang)?.leavers.has(pod.uid))
        this.#settle(pod, await terminator.mark(pod, endingMark, plan).catch(failed))
      this.#marking.set(key, clock.now() + confirmMs)
      clock.after(confirmMs + 1, () => {
        this.#marking.delete(key)
        revisit(gang)
      })
    })
  }

  #settle(pod: Pod, result: WriteResult): void {
    if (result.outcome === 'failed')
      this.#parts.log.warn({ pod: nameOf(pod), reason: result.message }, 'could not mark a victim; retrying')
  }
}

const isMarked = (pod: Pod): boolean => pod.annotations.has(endingMark)
const failed = (error: unknown): WriteResult => ({ outcome: 'failed', message: reasonOf(error) })
