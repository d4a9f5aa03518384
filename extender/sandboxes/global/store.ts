import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'

/** Where a sandbox is, or is about to be. */
export type Place = {
  readonly cluster: string
  /** `intended`: the call is under way, or was when its front door ended. */
  readonly state: 'intended' | 'placed'
  /** Of this writing: another one has another. */
  readonly token: string
}

/** A sandbox that may have been left on a cluster, to be released there. */
export type Debt = {
  readonly cluster: string
  readonly id: string
  readonly tenant: string
  /** Released once already, perhaps before the call of unknown end came through. */
  readonly isReleased: boolean
  /** By the wall clock: once it is past, that call is no longer under way. */
  readonly settledAt: number
}

/** What the front door remembers, by id of the sandbox. */
export interface Store {
  /** Whether what is not here is not anywhere: no restart and no other front door has been without it. */
  readonly isComplete: boolean
  get(id: string): Promise<Place | undefined>
  /** Writes `after` (or nothing) in place of `before`, if that still stands. Answers what stands then. */
  swap(id: string, before: Place | undefined, after: Place | undefined): Promise<Place | undefined>
  owe(debt: Debt): Promise<void>
  paid(debt: DebtKey): Promise<void>
  debts(): Promise<readonly Debt[]>
  close(): Promise<void>
}

export type DebtKey = Pick<Debt, 'cluster' | 'id'>
export const debtKey = ({ cluster, id }: DebtKey): string => `${cluster}/${id}`

/** A week: longer than an idempotency key is remembered, and a sandbox lives. */
export const rememberedMs = 7 * 24 * 3_600_000
const mostPlaces = 200_000
const mostDebts = 50_000

/** The memory of this process. */
export class MemoryStore implements Store {
  readonly isComplete = false
  readonly #places: LRUCache<string, Place>
  readonly #debts = new LRUCache<string, Debt>({ max: mostDebts })

  constructor(clock: Clock) {
    this.#places = new LRUCache({
      max: mostPlaces,
      ttl: rememberedMs,
      ttlResolution: 0,
      perf: { now: () => clock.now() + 1 }
    })
  }

  async get(id: string): Promise<Place | undefined> {
    return this.#places.get(id)
  }

  async swap(id: string, before: Place | undefined, after: Place | undefined): Promise<Place | undefined> {
    const stands = this.#places.get(id)
    if (stands?.token !== before?.token || stands?.state !== before?.state) return stands
    if (after) this.#places.set(id, after)
    else this.#places.delete(id)
    return after
  }

  async owe(debt: Debt): Promise<void> {
    this.#debts.set(debtKey(debt), debt)
  }

  async paid(debt: DebtKey): Promise<void> {
    this.#debts.delete(debtKey(debt))
  }

  async debts(): Promise<readonly Debt[]> {
    return [...this.#debts.values()]
  }

  async close(): Promise<void> {}
}
