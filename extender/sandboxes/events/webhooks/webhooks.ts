import { Code } from '@connectrpc/connect'
import { refusal } from '../../refusals.ts'
import type { Delivery, Remembered } from '../store.ts'
import type { Receiver } from './receiver.ts'

export type DeadLetter = { readonly url: string; readonly delivery: Delivery }

/** All webhooks. What happens to one is nothing to the others. */
export class Webhooks {
  readonly #receivers: readonly Receiver[]

  constructor(receivers: readonly Receiver[], { deliveries, disabled }: Remembered) {
    this.#receivers = receivers
    for (const each of receivers) each.restore(deliveries.get(each.url) ?? [], disabled.includes(each.url))
  }

  get urls(): readonly string[] {
    return this.#receivers.map(({ url }) => url)
  }

  get deadLetters(): readonly DeadLetter[] {
    return this.#receivers.flatMap(({ url, deadLetters }) => deadLetters.map(delivery => ({ url, delivery })))
  }

  offer(sequence: number, id: string, body: string): void {
    for (const receiver of this.#receivers) receiver.offer(sequence, id, body)
  }

  /** Tries the dead letters of one anew, or of all where no URL is given. */
  replay(url: string): number {
    const chosen = this.#receivers.filter(receiver => url === '' || receiver.url === url)
    if (url !== '' && chosen.length === 0)
      throw refusal(Code.NotFound, 'not_found', `there is no webhook ${url}`, { subject: url })
    return chosen.reduce((sum, receiver) => sum + receiver.replay(), 0)
  }

  get queued(): number {
    return this.#receivers.reduce((sum, { queued }) => sum + queued, 0)
  }

  get deadCount(): number {
    return this.#receivers.reduce((sum, { deadCount }) => sum + deadCount, 0)
  }

  async close(): Promise<void> {
    await Promise.all(this.#receivers.map(receiver => receiver.close()))
  }
}
