const newline = 0x0a

/** Splits a stream of chunks at newlines, whatever the chunk borders are. Works on bytes, so that torn characters stay whole. */
export class LineSplitter {
  /** Of the line that has not ended; joined once, at its end, so that a long line costs its length only. */
  #pending: Uint8Array[] = []
  #size = 0
  readonly #limit: number

  /** A line longer than `limit` bytes throws: no server that we can talk to sends one. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The lines that this chunk completes, without empty ones. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#keep(chunk.subarray(start, end))
      const line = this.#take()
      if (line !== '') lines.push(line)
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#size += piece.length
    if (this.#size > this.#limit) throw new RangeError(`a line of the watch exceeds ${this.#limit} bytes`)
    this.#pending.push(piece)
  }

  #take(): string {
    const whole = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending)
    this.#pending = []
    this.#size = 0
    return whole ? Buffer.from(whole.buffer, whole.byteOffset, whole.length).toString('utf8').trim() : ''
  }
}
