/** What of a JSON object is read, by name: a part with all that is in it, or the fields of it. Lists are seen through. */
export type Fields = { readonly [name: string]: Fields | 'whole' }

type Entry = { readonly name: string; readonly bytes: Uint8Array; readonly fields: FieldTable | 'whole' }

/** The fields of one object, found by the bytes of their names: what is not asked for costs a look at its length. */
export class FieldTable {
  readonly #byLength: (readonly Entry[] | undefined)[] = []

  constructor(fields: Fields) {
    const entries = Object.entries(fields).map(([name, part]): Entry => {
      const bytes = Buffer.from(name)
      return { name, bytes, fields: part === 'whole' ? part : new FieldTable(part) }
    })
    for (const [length, alike] of Map.groupBy(entries, ({ bytes }) => bytes.length)) this.#byLength[length] = alike
  }

  /** The field whose name stands at these bytes, without its quotes; undefined where nobody asks for it. */
  at(bytes: Uint8Array, from: number, to: number): FieldTable | 'whole' | undefined {
    const alike = this.#byLength[to - from]
    if (alike === undefined) return undefined
    for (const entry of alike) if (same(entry.bytes, bytes, from)) return entry.fields
    return undefined
  }

  /** The field of that name. */
  named(name: string): FieldTable | 'whole' | undefined {
    const bytes = Buffer.from(name)
    return this.at(bytes, 0, bytes.length)
  }
}

function same(name: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let index = 0; index < name.length; index += 1) if (name[index] !== bytes[from + index]) return false
  return true
}
