/** Of a field, what is alike in many objects: it is read once, and all of them have the same. */
export class Shared {
  readonly part: 'whole' | Fields

  constructor(part: 'whole' | Fields) {
    this.part = part
  }
}

/** What of a JSON object is read, by name: a field with all that is in it, or fields of it. Lists are seen through. */
export type Fields = { readonly [name: string]: 'whole' | Fields | Shared }

/** Where a field stands in an object: by which fields one gets there, and its name. */
export type Place = { readonly into: readonly string[]; readonly name: string }

/** One field that is read, and what of it; without `fields` all. */
export type Field = Place & {
  readonly fields: FieldTable | undefined
  readonly isShared: boolean
}

type Named = { readonly bytes: Uint8Array; readonly field: Field }

/** The fields of one object, found by the bytes of their names: what is not asked for costs a look at its length. */
export class FieldTable {
  /** Where what is shared stands. */
  readonly shared: readonly Place[]
  readonly #byLength: (readonly Named[] | undefined)[] = []

  constructor(fields: Fields, into: readonly string[] = []) {
    const all = Object.entries(fields).map(([name, part]): Named => {
      return { bytes: Buffer.from(name), field: fieldOf(part, { into, name }) }
    })
    this.shared = all.flatMap(({ field }) => (field.isShared ? [field] : (field.fields?.shared ?? [])))
    for (const [length, alike] of Map.groupBy(all, ({ bytes }) => bytes.length)) this.#byLength[length] = alike
  }

  /** The field whose name stands at these bytes, without its quotes; undefined where nobody asks for it. */
  at(bytes: Uint8Array, from: number, to: number): Field | undefined {
    const alike = this.#byLength[to - from]
    if (alike === undefined) return undefined
    for (const { bytes: name, field } of alike) if (same(name, bytes, from)) return field
    return undefined
  }

  /** The field of that name. */
  named(name: string): Field | undefined {
    const bytes = Buffer.from(name)
    return this.at(bytes, 0, bytes.length)
  }
}

function fieldOf(part: Fields[string], { into, name }: Place): Field {
  const isShared = part instanceof Shared
  const fields = isShared ? part.part : part
  return { into, name, isShared, fields: fields === 'whole' ? undefined : new FieldTable(fields, [...into, name]) }
}

function same(name: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let index = 0; index < name.length; index += 1) if (name[index] !== bytes[from + index]) return false
  return true
}
