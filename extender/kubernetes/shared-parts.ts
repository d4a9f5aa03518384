import type { Place } from './fields.ts'

/** So many parts, of so many bytes, are remembered; then it starts over, which costs memory for a while and nothing else. */
const [most, mostBytes] = [50_000, 16 * 1024 * 1024]

/** Parts of JSON objects that are alike in many of them. In the text of an object a number stands for each. */
export class SharedParts {
  readonly #known = new Map<string, number>()
  #parts: unknown[] = []
  #bytes = 0

  /** The number of the part whose text stands there. Throws a SyntaxError where it is no JSON. */
  numberOf(bytes: Buffer, from: number, to: number): number {
    const key = bytes.toString('latin1', from, to)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#parts.push(JSON.parse(bytes.toString('utf8', from, to)))
    this.#known.set(key, this.#parts.length - 1)
    this.#bytes += key.length
    return this.#parts.length - 1
  }

  /** Puts the parts back into an object in which numbers stand for them at these places. */
  restore(value: unknown, places: readonly Place[]): void {
    for (const { into, name } of places) {
      let object = inner(value)
      for (const step of into) object = inner(object[step])
      const number = object[name]
      if (typeof number === 'number') object[name] = this.#parts[number]
    }
    if (this.#parts.length > most || this.#bytes > mostBytes) this.#forget()
  }

  #forget(): void {
    this.#known.clear()
    this.#parts = []
    this.#bytes = 0
  }
}

function inner(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
