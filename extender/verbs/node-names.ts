/** The node names of a filter or prioritize request. */
export interface NodeNames {
  /** The JSON array, as it came. */
  readonly json: string
  has(name: string): boolean
  /** Parses them all. */
  list(): readonly string[]
}

/** Of plain names only: letters, digits, dashes and dots, with nothing between them but commas. */
export class RawNames implements NodeNames {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }

  has(name: string): boolean {
    return this.json.includes(JSON.stringify(name))
  }

  list(): readonly string[] {
    return this.json === '[]' ? [] : this.json.slice(2, -2).split('","')
  }
}

/** Of any names. */
export class ParsedNames implements NodeNames {
  readonly #names: readonly string[]

  constructor(names: readonly string[]) {
    this.#names = names
  }

  get json(): string {
    return JSON.stringify(this.#names)
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  list(): readonly string[] {
    return this.#names
  }
}
