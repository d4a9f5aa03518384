import { nameFor } from '../../policies/text.ts'
import type { Clock } from '../clock.ts'
import type { Commit } from './effects/commit.ts'
import type { Endings } from './effects/endings.ts'
import type { Evictions } from './effects/evictions.ts'
import type { Gang } from './membership/gang.ts'
import type { Journal } from './telling/journal.ts'
import type { Keeper } from './keeper.ts'
import type { Hold, Ledger } from './ledger.ts'
import type { Outlook } from './planning/outlook.ts'
import type { Patience } from './effects/patience.ts'
import type { Planning } from './planning/planning.ts'
import type { OnViolation } from './ports.ts'
import type { Preemption } from './planning/preemption.ts'
import type { Quarantine } from './planning/quarantine.ts'
import type { Queue } from './queue.ts'
import type { Reconciler } from './effects/reconciler.ts'
import type { Roster } from './membership/roster.ts'
import type { GangTraces } from './telling/tracing.ts'

/** While the picture is too old, it is asked so often whether it still is. */
const lookMs = 1_000
/** A round gives the event loop back after this long, so that the verbs never wait for planning. */
const sliceMs = 10

export type RoundsParts = {
  readonly roster: Roster
  readonly ledger: Ledger
  readonly planning: Planning
  readonly quarantine: Quarantine
  readonly queue: Queue
  readonly keeper: Keeper
  readonly patience: Patience
  readonly commit: Commit
  readonly reconciler: Reconciler
  readonly evictions: Evictions
  readonly endings: Endings
  readonly preemption: Preemption
  readonly outlook: Outlook
  readonly journal: Journal
  readonly clock: Clock
  /** Why the picture of the cluster is too old to plan by. */
  readonly outdated: () => string | undefined
  readonly resyncMs: number
  readonly onViolation: OnViolation
  readonly traces: GangTraces | undefined
}

/** From marked gangs to plans to effects: what is marked is looked at, who waits is planned in the order of the ranks. */
export class Rounds {
  readonly #parts: RoundsParts
  readonly #dirty = new Set<string>()
  /** What is to be shown to the API and to people. */
  readonly #touched = new Set<string>()
  /** Grows whenever room may have grown somewhere: waiting gangs are tried again. */
  #room = 0
  #scheduled = false
  #started = false
  #waitsForNews = false

  constructor(parts: RoundsParts) {
    this.#parts = parts
  }

  /** Nothing is planned before. */
  start(): void {
    this.#started = true
    this.#resync()
  }

  /** Looks at the gang again in the next round. The beginning looks at all, so nothing is remembered before. */
  revisit(key: string): void {
    if (!this.#started) return
    this.#dirty.add(key)
    this.#schedule()
  }

  /** The gang has lost room that was held for it. */
  lost(key: string): void {
    this.roomGrew()
    this.retry(key)
  }

  /** The gang is planned anew, even where nothing has changed for it. */
  retry(key: string): void {
    this.#parts.queue.forget(key)
    this.revisit(key)
  }

  /** Who waits is worth another try. */
  roomGrew(): void {
    this.#room += 1
    this.#schedule()
  }

  /** Looks at the gang when its hold ends. */
  watchExpiry({ gang, expiresAt }: Hold): void {
    const { clock } = this.#parts
    clock.after(expiresAt - clock.now() + 1, () => this.revisit(gang))
  }

  #schedule(): void {
    if (this.#scheduled || !this.#started) return
    this.#scheduled = true
    this.#parts.clock.after(0, () => {
      this.#scheduled = false
      try {
        this.#round()
      } catch (error) {
        this.#parts.onViolation(error)
      }
    })
  }

  #round(): void {
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
    if (this.#dirty.size === 0 && this.#isUpToDate()) {
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

  /** Nobody new is planned by an old picture; what is planned goes on. */
  #isUpToDate(): boolean {
    const isOld = this.#parts.outdated() !== undefined
    if (!isOld || this.#waitsForNews) return !isOld
    this.#waitsForNews = true
    this.#parts.clock.after(lookMs, () => {
      this.#waitsForNews = false
      this.#schedule()
    })
    return false
  }

  #review(key: string): void {
    const { roster, keeper, clock, outlook, preemption } = this.#parts
    outlook.review(key)
    const gang = roster.gang(key)
    if (!gang) {
      this.#forget(key)
      return
    }
    const settlesIn = roster.settlesIn(key)
    if (settlesIn > 0) clock.after(settlesIn + 1, () => this.revisit(key))
    keeper.review(gang)
    preemption.review(gang)
  }

  #forget(key: string): void {
    const { keeper, patience, journal, queue, preemption } = this.#parts
    for (const part of [keeper, patience, journal, queue, preemption]) part.forget(key)
  }

  #show(key: string): void {
    const { roster, journal, ledger, patience, reconciler, evictions, endings, commit } = this.#parts
    const gang = roster.gang(key)
    if (!gang) return
    // Only now: a gang whose time is up has had its turn.
    patience.review(gang, ledger.hold(key))
    journal.look(gang, ledger.hold(key))
    evictions.reconcile(key)
    endings.begin(key)
    endings.finish(gang)
    reconciler.reconcile(gang)
    commit.check(key)
  }

  #try(gang: Gang): void {
    const { planning, quarantine, journal, ledger, evictions, keeper, queue, clock, traces } = this.#parts
    this.#touched.add(gang.key)
    const from = clock.now()
    const attempt = quarantine.attempt(gang, () => planning.attempt(gang, this.#room))
    if (attempt.outcome !== 'nothing') traces?.planned(gang, from, attempt.outcome)
    if (attempt.outcome !== 'reserved') {
      queue.inVain(gang, this.#room, attempt.outcome !== 'nothing')
      journal.explained(gang, attempt.outcome === 'nothing' ? undefined : attempt)
      return
    }
    queue.served(gang.key)
    const hold = ledger.hold(gang.key)
    if (hold) {
      journal.planned(gang, hold)
      evictions.announce(gang, hold)
      this.watchExpiry(hold)
    }
    this.#show(gang.key)
    for (const key of attempt.displaced) {
      const namespace = this.#parts.roster.gang(key)?.namespace ?? ''
      keeper.withdraw(key, `${nameFor(namespace, 'gang', gang)} of higher rank takes its room`)
    }
  }

  /** The level-triggered backstop: whatever was missed is found by looking at everything again. */
  #resync(): void {
    this.roomGrew()
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
