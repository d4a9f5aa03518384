/** One line that a container wrote; `at` is in milliseconds since the epoch. */
export type LogLine = { readonly at: number; readonly text: string }

const longestLine = 16_384

/** The last lines of a container, and no more than fit: a container that writes for ever costs no more than this. */
export class LogBook {
  readonly #most: number
  #lines: LogLine[] = []
  #previous: readonly LogLine[] | undefined
  #size = 0

  constructor(mostCharacters = 262_144) {
    this.#most = mostCharacters
  }

  add(at: number, text: string): void {
    for (const line of text.replace(/\n$/, '').split('\n')) this.#addLine({ at, text: line.slice(0, longestLine) })
  }

  /** The container starts again: what it wrote before is the previous log. */
  turn(): void {
    this.#previous = this.#lines
    this.#lines = []
    this.#size = 0
  }

  get lines(): readonly LogLine[] {
    return this.#lines
  }

  get previous(): readonly LogLine[] | undefined {
    return this.#previous
  }

  #addLine(line: LogLine): void {
    this.#lines.push(line)
    this.#size += line.text.length + 1
    if (this.#size <= this.#most) return
    // Drops a quarter at once, so that a full book is not copied for each line.
    let dropped = 0
    while (this.#size > this.#most * 0.75) this.#size -= (this.#lines[dropped++]?.text.length ?? 0) + 1
    this.#lines = this.#lines.slice(dropped)
  }
}
