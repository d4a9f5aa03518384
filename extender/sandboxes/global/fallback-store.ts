import type { Debt, DebtKey, Place, Store } from './store.ts'

export type Told = {
  /** Each time that it does not serve; `isNew` the first time in a row. */
  readonly onError: (error: unknown, isNew: boolean) => void
  /** It serves again. */
  readonly onServing: () => void
}

/** A shared store as long as it serves; the memory of this process, which always knows what passed here, when not. */
export class FallbackStore implements Store {
  readonly #shared: Store
  readonly #own: Store
  readonly #told: Told
  #serves = true

  constructor(shared: Store, own: Store, told: Told) {
    this.#shared = shared
    this.#own = own
    this.#told = told
  }

  get isComplete(): boolean {
    return this.#serves && this.#shared.isComplete
  }

  get(id: string): Promise<Place | undefined> {
    return this.#either(store => store.get(id))
  }

  async swap(id: string, before: Place | undefined, after: Place | undefined): Promise<Place | undefined> {
    const stands = await this.#either(store => store.swap(id, before, after))
    await this.#own.swap(id, await this.#own.get(id), stands)
    return stands
  }

  async owe(debt: Debt): Promise<void> {
    await this.#own.owe(debt)
    await this.#either(store => store.owe(debt))
  }

  async paid(debt: DebtKey): Promise<void> {
    await this.#own.paid(debt)
    await this.#either(store => store.paid(debt))
  }

  debts(): Promise<readonly Debt[]> {
    return this.#either(store => store.debts())
  }

  async close(): Promise<void> {
    await this.#shared.close()
  }

  async #either<T>(ask: (store: Store) => Promise<T>): Promise<T> {
    try {
      const answer = await ask(this.#shared)
      if (!this.#serves) this.#told.onServing()
      this.#serves = true
      return answer
    } catch (error) {
      this.#told.onError(error, this.#serves)
      this.#serves = false
      return ask(this.#own)
    }
  }
}
