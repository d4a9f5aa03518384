import { Code } from '@connectrpc/connect'
import { refusal } from '../refusals.ts'

/** So many may wait at all. */
const most = 10_000

/** One task after the other for each key; keys do not wait for each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()
  #waiting = 0

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    if (this.#waiting >= most)
      throw refusal(Code.ResourceExhausted, 'in_flight', `${most} requests wait for their turn; ask again later`, {
        subject: key,
        retryAfterMs: 1_000
      })
    this.#waiting += 1
    const before = this.#last.get(key) ?? Promise.resolve()
    const mine = before.then(task, task)
    this.#last.set(key, mine)
    try {
      return await mine
    } finally {
      this.#waiting -= 1
      if (this.#last.get(key) === mine) this.#last.delete(key)
    }
  }
}
