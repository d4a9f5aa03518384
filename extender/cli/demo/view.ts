import { styleText } from 'node:util'

/** One line of what is going on, under a name by which its next version is known. */
export type Row = { readonly key: string; readonly text: string }

/** Where a demo is shown: a terminal that is redrawn in place, or anything else, line by line. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const refreshMs = 100
/** To the left margin, that many lines up, and everything from there on away. */
const up = (lines: number): string => (lines === 0 ? '' : `\r\u001b[${lines}A\u001b[J`)

/** Calm words about what happens: what is said stays, what is live is redrawn until it settles. */
export class View {
  readonly #screen: Screen
  readonly #isLive: boolean

  constructor(screen: Screen) {
    this.#screen = screen
    this.#isLive = screen.isTTY === true
  }

  /** What a part is about. */
  heading(text: string): void {
    this.say(`\n${this.#isLive ? styleText('bold', text) : text}`)
  }

  say(text = ''): void {
    this.#screen.write(`${text}\n`)
  }

  /** Less important. */
  hint(text: string): void {
    this.say(this.#isLive ? styleText('dim', text) : text)
  }

  /** Shows the rows, as they change, until `isOver`; throws what `tooLate` says after `ms`. */
  async watch(
    rows: () => readonly Row[],
    isOver: () => boolean,
    { ms = 15_000, tooLate = 'nothing happens' } = {}
  ): Promise<void> {
    const end = performance.now() + ms
    let shown: readonly Row[] = []
    for (;;) {
      const over = isOver()
      const now = rows()
      this.#show(shown, now)
      shown = now
      if (over) return
      if (performance.now() > end) throw new Error(`${tooLate} (for ${ms / 1000} s)`)
      await new Promise(resolve => setTimeout(resolve, refreshMs))
    }
  }

  #show(before: readonly Row[], now: readonly Row[]): void {
    if (this.#isLive) {
      if (before.length === now.length && before.every((row, index) => row.text === now[index]?.text)) return
      this.#screen.write(up(before.length) + now.map(({ text }) => `${this.#cut(text)}\n`).join(''))
      return
    }
    const known = new Map(before.map(({ key, text }) => [key, text]))
    for (const { key, text } of now) if (known.get(key) !== text) this.say(text)
  }

  /** A line that wraps would be two when it is redrawn. */
  #cut(text: string): string {
    const columns = this.#screen.columns || 80
    return text.length < columns ? text : `${text.slice(0, columns - 2)}…`
  }
}
