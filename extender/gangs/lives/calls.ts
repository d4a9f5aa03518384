import type { BindAsk } from '../gangs.ts'

/** Hung up on, it is refused where it still can be; given up, it is answered in any case. */
type Call = { readonly hangUp: AbortController; readonly giveUp: (why: string) => void }

/** The bind calls that have no answer yet. */
export class Calls {
  readonly #open = new Set<Call>()

  /** The logic's answer, or why nobody waits for it any longer. */
  async answer(ask: BindAsk, bind: (ask: BindAsk) => Promise<string>): Promise<string> {
    const hangUp = new AbortController()
    const unanswered = Promise.withResolvers<string>()
    const call = { hangUp, giveUp: unanswered.resolve }
    const onAbort = (): void => hangUp.abort()
    ask.signal.addEventListener('abort', onAbort, { once: true })
    if (ask.signal.aborted) onAbort()
    this.#open.add(call)
    try {
      return await Promise.race([bind({ ...ask, signal: hangUp.signal }), unanswered.promise])
    } finally {
      this.#open.delete(call)
      ask.signal.removeEventListener('abort', onAbort)
    }
  }

  /** Refuses whoever can still be refused; the answer gives the others of now up. */
  hangUp(): (why: string) => void {
    const open = [...this.#open]
    for (const call of open) call.hangUp.abort()
    return why => {
      for (const call of open) call.giveUp(why)
    }
  }
}
