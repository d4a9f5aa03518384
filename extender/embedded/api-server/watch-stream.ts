import type { ServerResponse } from 'node:http'

/** Bytes that may stand in the buffers of one connection before events wait as references. */
const highWater = 1024 * 1024

export type WatchStreamOptions<E> = {
  readonly response: ServerResponse
  /** The bytes of an event, made when it is sent. */
  readonly line: (event: E) => Buffer
  /** Events that may wait before the watcher is cut. */
  readonly backlog: number
}

/** The answer to one watch: events go out as fast as the client reads, and a client that does not read is cut. */
export class WatchStream<E> {
  readonly #options: WatchStreamOptions<E>
  #waiting: E[] = []
  #most = Number.POSITIVE_INFINITY
  #sent = 0
  #ended = false

  constructor(options: WatchStreamOptions<E>) {
    this.#options = options
    options.response.on('drain', () => this.#flush())
  }

  /** Whether everything has been handed to the connection. */
  get idle(): boolean {
    return this.#sent === this.#waiting.length
  }

  /** From now on a backlog counts; what waits already does not. */
  bound(): void {
    this.#most = this.#waiting.length - this.#sent + this.#options.backlog
  }

  push(event: E): void {
    const { response, line } = this.#options
    if (response.destroyed || this.#ended) return
    if (this.idle && response.writableLength < highWater) response.write(line(event))
    else this.#keep(event)
  }

  /** Ends the answer once all that waits is sent. */
  end(): void {
    this.#ended = true
    if (this.idle) this.#options.response.end()
  }

  #keep(event: E): void {
    this.#waiting.push(event)
    if (this.#waiting.length - this.#sent > this.#most) this.#options.response.destroy()
  }

  #flush(): void {
    const { response, line } = this.#options
    while (!this.idle && response.writableLength < highWater) {
      const event = this.#waiting[this.#sent]
      this.#sent += 1
      if (event !== undefined) response.write(line(event))
    }
    if (!this.idle) return
    this.#waiting = []
    this.#sent = 0
    if (this.#ended) response.end()
  }
}
