import type { FastifyReply } from 'fastify'

/** What a bind hears that muster cannot wait for any longer. */
export const closing = 'muster is closing; the pod is scheduled again'

/** The binds that have no answer yet: closing waits for them. */
export class Underway {
  readonly #open = new Map<AbortController, Promise<void>>()

  /** Fires when the client closes before it has its answer, and at `giveUp`. */
  signalOf({ raw }: FastifyReply): AbortSignal {
    const controller = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#open.set(controller, promise)
    raw.once('close', () => {
      this.#open.delete(controller)
      if (!raw.writableFinished) controller.abort()
      resolve()
    })
    return controller.signal
  }

  /** Resolves once all that are under way now are answered. */
  async answered(): Promise<void> {
    await Promise.all(this.#open.values())
  }

  /** Nobody waits any longer: what is not being written is refused. */
  giveUp(): void {
    for (const controller of this.#open.keys()) controller.abort(closing)
  }
}
