import type { Field, FieldTable } from './fields.ts'
import {
  backslash,
  closeBrace,
  closeBracket,
  closingQuote,
  colon,
  comma,
  isDelimiter,
  isSpace,
  openBrace,
  openBracket,
  quote
} from './json-bytes.ts'
import type { SharedParts } from './shared-parts.ts'

const zero = 0x30
/** Brackets and braces differ in this bit alone. */
const bracketBit = 0x20
/** Shorter pieces are copied faster by hand. */
const short = 48

/** Where a value would go on in bytes that have not come yet. */
export const incomplete = -1

/**
 * Reads JSON values out of bytes, less what nobody asks for: what `JSON.parse` would make of all of them is mostly
 * thrown away again. Parts that are left out are skipped by their quotes and brackets, and not looked at closer.
 */
export class Pruner {
  #bytes: Uint8Array = new Uint8Array()
  #end = 0
  /** The text of what is kept. */
  #kept = Buffer.allocUnsafe(16 * 1024)
  #size = 0
  /** The last string had a backslash in it. */
  #escaped = false
  readonly #shares: SharedParts
  /** In lists, and in what is shared, nothing is shared. */
  #plain = 0

  constructor(shares: SharedParts) {
    this.#shares = shares
  }

  /** Reads from these bytes, up to `end`, from now on. */
  from(bytes: Uint8Array, end: number): void {
    this.#bytes = bytes
    this.#end = end
  }

  /** The value that was kept last, by the same fields; throws a SyntaxError where it is no JSON. */
  take(fields?: FieldTable): unknown {
    const value: unknown = JSON.parse(this.#kept.toString('utf8', 0, this.#size))
    if (fields) this.#shares.restore(value, fields.shared)
    return value
  }

  /** Keeps of the value at `at` these fields, or all; answers where it ends, or `incomplete`. Throws where it is no JSON. */
  keep(at: number, fields?: FieldTable): number {
    this.#size = 0
    this.#plain = 0
    // What is kept is never longer than what is read, but for the numbers of shared parts that are shorter than they.
    const enough = 2 * (this.#end - at)
    if (this.#kept.length < enough) this.#kept = Buffer.allocUnsafe(enough)
    return this.#value(at, fields)
  }

  /** Where the value at `at` ends, or `incomplete`. */
  skip(at: number): number {
    if (at >= this.#end) return incomplete
    const first = this.#bytes[at]
    if (first === quote) return this.string(at)
    if (first === openBrace || first === openBracket) return this.#nested(at)
    return this.#scalar(at)
  }

  /** The first place from `at` on that is no white space; it may be the end. */
  next(at: number): number {
    let here = at
    while (here < this.#end && isSpace(this.#bytes[here])) here += 1
    return here
  }

  /** Where the string at `at` ends, or `incomplete`. */
  string(at: number): number {
    const [bytes, end] = [this.#bytes, this.#end]
    if (bytes[at] !== quote) throw malformed()
    this.#escaped = false
    for (let here = at + 1; here < end; here += 1) {
      const byte = bytes[here]
      if (byte === quote) return here + 1
      if (byte !== backslash) continue
      this.#escaped = true
      here += 1
    }
    return incomplete
  }

  /** The field whose name is the string that was read last, from `at` to `end`. */
  field(fields: FieldTable, at: number, end: number): Field | undefined {
    if (!this.#escaped) return fields.at(this.#bytes, at + 1, end - 1)
    const text = Buffer.from(this.#bytes.subarray(at, end)).toString()
    return fields.named(JSON.parse(text) as string)
  }

  /** Where the value of a member begins whose name ends at `at`, or `incomplete`. */
  afterColon(at: number): number {
    const here = this.next(at)
    if (here >= this.#end) return incomplete
    if (this.#bytes[here] !== colon) throw malformed()
    const value = this.next(here + 1)
    return value < this.#end ? value : incomplete
  }

  #value(at: number, fields: FieldTable | undefined): number {
    if (at >= this.#end) return incomplete
    if (fields) {
      if (this.#bytes[at] === openBrace) return this.#object(at, fields)
      if (this.#bytes[at] === openBracket) return this.#list(at, fields)
    }
    return this.#copied(at, this.skip(at))
  }

  #object(at: number, fields: FieldTable): number {
    this.#put(openBrace)
    let here = this.next(at + 1)
    if (this.#bytes[here] === closeBrace && here < this.#end) return this.#closed(here)
    const begun = this.#size
    for (;;) {
      if (here >= this.#end) return incomplete
      here = this.#member(here, fields, begun)
      if (here < 0) return incomplete
      here = this.next(here)
      if (here >= this.#end) return incomplete
      if (this.#bytes[here] === closeBrace) return this.#closed(here)
      if (this.#bytes[here] !== comma) throw malformed()
      here = this.next(here + 1)
    }
  }

  #member(at: number, fields: FieldTable, begun: number): number {
    const end = this.string(at)
    if (end < 0) return incomplete
    const field = this.field(fields, at, end)
    const value = this.afterColon(end)
    if (value < 0) return incomplete
    if (field === undefined) return this.skip(value)
    if (this.#size > begun) this.#put(comma)
    this.#copied(at, end)
    this.#put(colon)
    return field.isShared && this.#plain === 0 ? this.#shared(value, field) : this.#value(value, field.fields)
  }

  #shared(at: number, field: Field): number {
    const from = this.#size
    this.#plain += 1
    const end = this.#value(at, field.fields)
    this.#plain -= 1
    if (end < 0) return incomplete
    const number = this.#shares.numberOf(this.#kept, from, this.#size)
    this.#size = from
    this.#digits(number)
    return end
  }

  #digits(number: number): void {
    if (number >= 10) this.#digits(Math.floor(number / 10))
    this.#put(zero + (number % 10))
  }

  /** Lists in lists are no lists of objects: they are kept as they are. */
  #list(at: number, fields: FieldTable): number {
    this.#put(openBracket)
    let here = this.next(at + 1)
    if (this.#bytes[here] === closeBracket && here < this.#end) return this.#closed(here)
    this.#plain += 1
    for (;;) {
      if (here >= this.#end) return incomplete
      here = this.#value(here, this.#bytes[here] === openBrace ? fields : undefined)
      if (here < 0) return incomplete
      here = this.next(here)
      if (here >= this.#end) return incomplete
      if (this.#bytes[here] === closeBracket) {
        this.#plain -= 1
        return this.#closed(here)
      }
      if (this.#bytes[here] !== comma) throw malformed()
      this.#put(comma)
      here = this.next(here + 1)
    }
  }

  #closed(at: number): number {
    this.#put(this.#bytes[at] ?? 0)
    return at + 1
  }

  #put(byte: number): void {
    this.#kept[this.#size] = byte
    this.#size += 1
  }

  #copied(at: number, end: number): number {
    if (end < 0) return incomplete
    const [bytes, kept] = [this.#bytes, this.#kept]
    if (end - at > short) kept.set(bytes.subarray(at, end), this.#size)
    else for (let here = at, to = this.#size; here < end; here += 1, to += 1) kept[to] = bytes[here] ?? 0
    this.#size += end - at
    return end
  }

  /** Without recursion: nothing is nested too deep for it. */
  #nested(at: number): number {
    const end = this.#end
    const bytes = this.#bytes
    let depth = 0
    for (let here = at; here < end; here += 1) {
      const byte = bytes[here] ?? 0
      if (byte === quote) {
        here = closingQuote(bytes, here + 1, end)
      } else if ((byte | bracketBit) === openBrace) depth += 1
      else if ((byte | bracketBit) === closeBrace) {
        depth -= 1
        if (depth === 0) return here + 1
      }
    }
    return incomplete
  }

  /** A number or a word ends where something else begins, which has to be seen. */
  #scalar(at: number): number {
    let here = at
    while (here < this.#end && !isDelimiter(this.#bytes[here])) here += 1
    if (here === at) throw malformed()
    return here < this.#end ? here : incomplete
  }
}

function malformed(): SyntaxError {
  return new SyntaxError('the answer is no JSON')
}
