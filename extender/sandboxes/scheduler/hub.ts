import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'

/** Tells those who watch. A slow reader gets the latest of each sandbox: what it has not read yet is one entry each. */
export class Hub {
  readonly #readers = new Set<Reader>()

  get isWatched(): boolean {
    return this.#readers.size > 0
  }

  tell(sandbox: Sandbox): void {
    for (const reader of this.#readers) reader.tell(sandbox)
  }

  /** What comes from now on, until the signal. Whoever opens it closes it. */
  open(wants: (sandbox: Sandbox) => boolean, signal: AbortSignal): Reader {
    const reader = new Reader(wants, signal)
    this.#readers.add(reader)
    return reader
  }

  close(reader: Reader): void {
    this.#readers.delete(reader)
  }
}

class Reader implements AsyncIterable<Sandbox> {
  readonly #wants: (sandbox: Sandbox) => boolean
  readonly #signal: AbortSignal
  /** By uid: a new generation does not hide the end of the one before. */
  #waiting = new Map<string, Sandbox>()
  #wake = Promise.withResolvers<void>()

  constructor(wants: (sandbox: Sandbox) => boolean, signal: AbortSignal) {
    this.#wants = wants
    this.#signal = signal
  }

  tell(sandbox: Sandbox): void {
    if (!this.#wants(sandbox)) return
    this.#waiting.set(sandbox.uid, sandbox)
    this.#wake.resolve()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Sandbox> {
    const wake = (): void => this.#wake.resolve()
    this.#signal.addEventListener('abort', wake)
    try {
      while (!this.#signal.aborted) {
        yield* this.#take()
        await this.#wake.promise
      }
    } finally {
      this.#signal.removeEventListener('abort', wake)
    }
  }

  #take(): readonly Sandbox[] {
    const taken = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#wake = Promise.withResolvers<void>()
    return taken
  }
}
