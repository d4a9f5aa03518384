import type { ServerResponse } from 'node:http'
import type { Clock } from '../../clock.ts'

/** Bytes that may stand in the buffers of one connection before events wait as references. */
const highWater = 1024 * 1024

export type WatchStreamOptions<E> = {
  readonly response: ServerResponse
  /** The bytes of an event, made when it is sent. */
  readonly line: (event: E) => Buffer
  /** With more events waiting, a watcher is cut that has read nothing for `patienceMs`; with ten times as many, at once. */
  readonly backlog: number
  readonly patienceMs: number
  readonly clock: Clock
}

/** The answer to one watch: events go out as fast as the client reads, and a client that does not read is cut. */
export class WatchStream<E> {
  readonly #options: WatchStreamOptions<E>
  #waiting: E[] = []
  /** Of the events that wait, so many do not count: they were there from the start. */
  #initial = Number.POSITIVE_INFINITY
  #read: number
  #sent = 0
  #ended = false

  constructor(options: WatchStreamOptions<E>) {
    this.#options = options
    this.#read = options.clock.now()
    options.response.on('drain', () => this.#flush())
  }

  /** Whether everything has been handed to the connection. */
  get idle(): boolean {
    return this.#sent === this.#waiting.length
  }

  /** From now on a backlog counts; what waits already does not. */
  bound(): void {
    this.#initial = this.#waiting.length
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
    const { response, backlog, patienceMs, clock } = this.#options
    const late = this.#waiting.length - Math.max(this.#sent, this.#initial)
    if (late <= backlog) return
    // A burst from inside this process leaves nobody the time to read.
    if (clock.now() - this.#read > patienceMs || late > 10 * backlog) response.destroy()
  }

  #flush(): void {
    const { response, line, clock } = this.#options
    this.#read = clock.now()
    while (!this.idle && response.writableLength < highWater) {
      const event = this.#waiting[this.#sent]
      this.#sent += 1
      if (event !== undefined) response.write(line(event))
    }
    if (!this.idle) return
    this.#waiting = []
    this.#sent = 0
    this.#initial = 0
    if (this.#ended) response.end()
  }
}
