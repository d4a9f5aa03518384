/**
 * Equal strings become one string: fifty thousand pods name a few thousand nodes.
 * When the table is full it starts over, which costs memory for a while and nothing else.
 */
export class StringTable {
  readonly #limit: number
  readonly #known = new Map<string, string>()

  constructor(limit = 100_000) {
    this.#limit = limit
  }

  /** The first string seen that equals this one. */
  one(value: string): string {
    const known = this.#known.get(value)
    if (known !== undefined) return known
    if (this.#known.size >= this.#limit) this.#known.clear()
    this.#known.set(value, value)
    return value
  }

  /** A map of the entries whose key is wanted; all empty ones are the same. */
  map(json: Readonly<Record<string, unknown>>, keep: (key: string) => boolean): ReadonlyMap<string, string> {
    let kept: Map<string, string> | undefined
    for (const [key, value] of Object.entries(json)) {
      if (typeof value !== 'string' || !keep(key)) continue
      kept ??= new Map()
      kept.set(this.one(key), this.one(value))
    }
    return kept ?? empty
  }
}

const empty: ReadonlyMap<string, string> = new Map()
