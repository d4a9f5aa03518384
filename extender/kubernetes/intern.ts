/**
 * Equal strings become one string: fifty thousand pods name a few thousand nodes.
 * When the table is full it starts over, which costs memory for a while and nothing else.
 */
export class StringTable {
  readonly #limit: number
  readonly #known = new Map<string, string>()
  readonly #maps = new Map<string, ReadonlyMap<string, string>>()

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

  /** A map of the entries whose key is wanted; equal ones, such as the labels of pods of one template, are the same. */
  map(json: Readonly<Record<string, unknown>>, keep: (key: string) => boolean): ReadonlyMap<string, string> {
    let kept: Map<string, string> | undefined
    for (const [key, value] of Object.entries(json)) {
      if (typeof value !== 'string' || !keep(key)) continue
      kept ??= new Map()
      kept.set(this.one(key), this.one(value))
    }
    return kept ? this.#oneMap(kept) : empty
  }

  #oneMap(map: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const text = JSON.stringify([...map])
    const known = this.#maps.get(text)
    if (known || text.length > longest) return known ?? map
    if (this.#maps.size >= this.#limit / 10) this.#maps.clear()
    this.#maps.set(text, map)
    return map
  }
}

/** Whoever writes whole books into labels and annotations has them alone. */
const longest = 1_000
const empty: ReadonlyMap<string, string> = new Map()

/** What was made of a part of a JSON object, for as long as that is there: in lists, what is alike is the same part. */
export class Made<K extends object, V extends object> {
  readonly #make: (part: K) => V | undefined
  readonly #made = new WeakMap<K, V>()

  constructor(make: (part: K) => V | undefined) {
    this.#make = make
  }

  of(part: K): V | undefined {
    const known = this.#made.get(part)
    if (known) return known
    const made = this.#make(part)
    if (made) this.#made.set(part, made)
    return made
  }
}
