import type { Debt, DebtKey, Place, Store } from './store.ts'

/** A shared store as long as it serves; the memory of this process, which always knows what passed here, when not. */
export class FallbackStore implements Store {
  readonly #shared: Store
  readonly #own: Store
  readonly #onError: (error: unknown) => void
  #serves = true

  constructor(shared: Store, own: Store, onError: (error: unknown) => void) {
    this.#shared = shared
    this.#own = own
    this.#onError = onError
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
      this.#serves = true
      return answer
    } catch (error) {
      this.#serves = false
      this.#onError(error)
      return ask(this.#own)
    }
  }
}
