import { FieldTable } from './fields.ts'
import { object, text } from '../json.ts'
import { closeBrace, closeBracket, comma, openBrace, openBracket } from './json-bytes.ts'
import { incomplete, Pruner } from './pruner.ts'
import { SharedParts } from './shared-parts.ts'

export type ListReaderOptions = {
  /** What of each object is read; without it all. */
  readonly fields?: FieldTable | undefined
  /** Those of other pages. */
  readonly shares?: SharedParts
  /** An object of more bytes throws: no server that we can talk to sends one. */
  readonly limit?: number
}

export type PageEnd = {
  readonly items: readonly unknown[]
  readonly resourceVersion: string
  /** Where the next page is to be had; undefined on the last. */
  readonly next: string | undefined
}

const largest = 16 * 1024 * 1024
/** Of the page itself; its items are read one by one. */
const envelope = new FieldTable({ metadata: { resourceVersion: 'whole', continue: 'whole' }, items: {} })
const items = envelope.named('items')

/** Reads the piece that begins at that byte; answers where it ends, or `incomplete`. */
type Stage = (at: number, byte: number) => number

/**
 * Reads one page of a list as it arrives, object by object, whatever the chunk borders are: neither the page nor what
 * nobody asks for is ever whole in memory. Throws where the answer is no list.
 */
export class ListReader {
  readonly #fields: FieldTable | undefined
  readonly #limit: number
  readonly #pruner: Pruner
  /** What has come and is not read yet stands from `#at` to `#end`. */
  #bytes = Buffer.alloc(0)
  #at = 0
  #end = 0
  /** What was not all there is tried again when there is twice as much, so that a long object costs its length only. */
  #enough = 1
  #listed = false
  #metadata: unknown
  #found: unknown[] = []

  constructor({ fields, shares = new SharedParts(), limit = largest }: ListReaderOptions = {}) {
    this.#fields = fields
    this.#pruner = new Pruner(shares)
    this.#limit = limit
  }

  /** The objects that this chunk completes. */
  push(chunk: Uint8Array): readonly unknown[] {
    this.#add(chunk)
    if (this.#end - this.#at >= this.#enough) this.#read()
    return this.#taken()
  }

  /** Where the next page is to be had, as soon as that is known. */
  get next(): string | undefined {
    return text(object(this.#metadata).continue)
  }

  /** Nothing comes any more: the objects that were not told yet, and what the page says about itself. */
  end(): PageEnd {
    this.#read()
    const version = text(object(this.#metadata).resourceVersion)
    if (this.#stage !== this.#over || !this.#listed || version === undefined) throw noList()
    return { items: this.#taken(), resourceVersion: version, next: this.next }
  }

  #taken(): readonly unknown[] {
    const found = this.#found
    this.#found = []
    return found
  }

  #add(chunk: Uint8Array): void {
    const left = this.#end - this.#at
    if (left > this.#limit) throw new RangeError(`an object of the list exceeds ${this.#limit} bytes`)
    if (this.#bytes.length < left + chunk.length) {
      const bytes = Buffer.allocUnsafe(2 * (left + chunk.length))
      this.#bytes.copy(bytes, 0, this.#at, this.#end)
      this.#bytes = bytes
    } else this.#bytes.copyWithin(0, this.#at, this.#end)
    this.#bytes.set(chunk, left)
    this.#at = 0
    this.#end = left + chunk.length
  }

  #read(): void {
    this.#pruner.from(this.#bytes, this.#end)
    for (;;) {
      this.#at = this.#pruner.next(this.#at)
      if (this.#at >= this.#end) break
      const end = this.#stage(this.#at, this.#bytes[this.#at] ?? 0)
      if (end < 0) break
      this.#at = end
    }
    this.#enough = Math.max(1, 2 * (this.#end - this.#at))
  }

  #firstByte: Stage = (at, byte) => this.#when(byte === openBrace, this.#firstMember, at)
  #firstMember: Stage = (at, byte) => (byte === closeBrace ? this.#went(this.#over, at + 1) : this.#member(at, byte))
  #afterMember: Stage = (at, byte) =>
    byte === comma ? this.#went(this.#member, at + 1) : this.#when(byte === closeBrace, this.#over, at)
  #firstItem: Stage = (at, byte) =>
    byte === closeBracket ? this.#went(this.#afterMember, at + 1) : this.#item(at, byte)
  #afterItem: Stage = (at, byte) =>
    byte === comma ? this.#went(this.#item, at + 1) : this.#when(byte === closeBracket, this.#afterMember, at)
  #over: Stage = at => this.#when(false, this.#over, at)

  #member: Stage = at => {
    const end = this.#pruner.string(at)
    if (end < 0) return incomplete
    const field = this.#pruner.field(envelope, at, end)
    const value = this.#pruner.afterColon(end)
    if (value < 0) return incomplete
    if (field === items) return this.#items(value)
    const after = field === undefined ? this.#pruner.skip(value) : this.#pruner.keep(value, field.fields)
    if (after < 0) return incomplete
    if (field !== undefined) this.#metadata = this.#pruner.take()
    return this.#went(this.#afterMember, after)
  }

  #item: Stage = at => {
    const fields = this.#bytes[at] === openBrace ? this.#fields : undefined
    const end = this.#pruner.keep(at, fields)
    if (end < 0) return incomplete
    this.#found.push(this.#pruner.take(fields))
    return this.#went(this.#afterItem, end)
  }

  #stage: Stage = this.#firstByte

  /** Go writes an empty list as null; all else that is no list is not to be taken for an empty cluster. */
  #items(at: number): number {
    if (this.#listed) throw noList()
    if (this.#bytes[at] === openBracket) {
      this.#listed = true
      return this.#went(this.#firstItem, at + 1)
    }
    const end = this.#pruner.keep(at)
    if (end < 0) return incomplete
    if (this.#pruner.take() !== null) throw noList()
    this.#listed = true
    return this.#went(this.#afterMember, end)
  }

  /** The piece was one byte, if it was the right one. */
  #when(right: boolean, stage: Stage, at: number): number {
    if (!right) throw noList()
    return this.#went(stage, at + 1)
  }

  #went(stage: Stage, at: number): number {
    this.#stage = stage
    return at
  }
}

function noList(): SyntaxError {
  return new SyntaxError('the answer is no list')
}
