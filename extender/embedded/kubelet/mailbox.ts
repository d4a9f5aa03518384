/** What is sent to a container: a plain value, and for a request a way to answer. */
export type Letter = {
  readonly value: unknown
  /** Told of the answer; without it nobody waits for one. */
  readonly answer?: (result: Answer) => void
  /** Takes the letter back when its container goes before it was taken: another one may have it. */
  readonly bounced?: (letter: Letter) => void
}

export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: Error }

/** How many letters a container has at hand; the others wait here, so that they are not lost with it. */
const window = 1000

/** What the receiving end does with letters. */
export interface Receiver {
  deliver(sequence: number, letter: Letter): void
  /** No more will come: the sentinel. */
  end(): void
}

/**
 * The one input queue of a container. It outlives the container's crashes: what had not been taken is delivered to
 * the next one. Sending never waits; past `most` letters it is refused.
 */
export class Mailbox {
  readonly #most: number
  readonly #waiting: Letter[] = []
  readonly #sent = new Map<number, Letter>()
  readonly #open = new Map<number, Letter>()
  #receiver: Receiver | undefined
  #sequence = 0
  #ending = false

  constructor(most = 100_000) {
    this.#most = most
  }

  /** Letters that have not been taken. */
  get size(): number {
    return this.#waiting.length + this.#sent.size
  }

  /** Whether it takes letters; not while its container is about to end. */
  get isOpen(): boolean {
    return !this.#ending
  }

  /** Throws when it is full. */
  put(letter: Letter): void {
    if (this.size >= this.#most) throw new Error(`the queue is full: ${this.#most} messages wait already`)
    this.#waiting.push(letter)
    this.#pump()
  }

  /** A container starts to receive. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver
    this.#pump()
  }

  /** All letters up to this one have been taken. */
  taken(sequence: number): void {
    for (const [each, letter] of this.#sent) {
      if (each > sequence) break
      this.#sent.delete(each)
      if (letter.answer !== undefined) this.#open.set(each, letter)
    }
    this.#pump()
  }

  /** A request has its answer. */
  answered(sequence: number, result: Answer): void {
    const letter = this.#open.get(sequence) ?? this.#sent.get(sequence)
    this.#open.delete(sequence)
    letter?.answer?.(result)
  }

  /** The container ended: what it had not taken waits for the next one, what it was working on has failed. */
  detach(why: Error): void {
    this.#receiver = undefined
    this.#waiting.unshift(...this.#sent.values())
    this.#sent.clear()
    const open = [...this.#open.values()]
    this.#open.clear()
    for (const letter of open) {
      if (this.#ending && letter.bounced !== undefined) letter.bounced(letter)
      else letter.answer?.({ ok: false, error: why })
    }
  }

  /** After what is here, the sentinel. */
  finish(): void {
    this.#ending = true
    this.#pump()
  }

  /** The pod is gone for good: sends back what it has not taken. */
  close(why: Error): void {
    this.#ending = true
    this.detach(why)
    for (const letter of this.#waiting.splice(0)) {
      if (letter.bounced !== undefined) letter.bounced(letter)
      else letter.answer?.({ ok: false, error: why })
    }
  }

  #pump(): void {
    const receiver = this.#receiver
    if (receiver === undefined) return
    let count = 0
    while (count < this.#waiting.length && this.#sent.size < window) {
      const letter = this.#waiting[count++]
      if (letter === undefined) break
      this.#sent.set(++this.#sequence, letter)
      receiver.deliver(this.#sequence, letter)
    }
    this.#waiting.splice(0, count)
    if (!this.#ending || this.#waiting.length > 0) return
    this.#receiver = undefined
    receiver.end()
  }
}
