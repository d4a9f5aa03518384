import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  visit,
  type YAMLMap
} from 'yaml'
import { UsageError } from '../../errors.ts'

/** Counted from 1, as editors do. */
export type Place = { readonly line: number; readonly column: number }

/** A key and what it holds; `isAgain` where kube-scheduler refuses it as a second one. */
export type Field = {
  readonly name: string
  readonly place: Place
  readonly value: Value
  readonly isAgain: boolean
}

/** More nesting has overflown the stack of the YAML library; more values are only had by aliases of aliases. */
const deepest = 100
const patience = 200_000

/** A value of a document and where it is written, read as kube-scheduler reads it: YAML 1.1, aliases and `<<` followed. */
export class Value {
  readonly #source: Source
  readonly #node: Node
  #fields: readonly Field[] | undefined
  #items: readonly Value[] | undefined

  constructor(source: Source, node: Node) {
    this.#source = source
    this.#node = source.target(node)
  }

  get place(): Place {
    return this.#source.place(this.#node)
  }

  get kind(): 'map' | 'list' | 'scalar' {
    if (isMap(this.#node)) return 'map'
    return isSeq(this.#node) ? 'list' : 'scalar'
  }

  /** Undefined for maps and lists. */
  get scalar(): unknown {
    return isScalar(this.#node) ? this.#node.value : undefined
  }

  /** None where it is no map. */
  get fields(): readonly Field[] {
    const node = this.#node
    this.#fields ??= isMap(node) ? this.#source.within(() => this.#read(node)) : []
    return this.#fields
  }

  /** None where it is no list. */
  get items(): readonly Value[] {
    this.#items ??= isSeq(this.#node) ? this.#node.items.map(item => new Value(this.#source, item as Node)) : []
    return this.#items
  }

  /** Undefined where the key is missing or null, which kube-scheduler does not tell apart; of several the last. */
  field(name: string): Value | undefined {
    const value = this.fields.findLast(field => field.name === name)?.value
    return value?.scalar === null ? undefined : value
  }

  #read(map: YAMLMap): readonly Field[] {
    const seen = new Set<string>()
    const fields: Field[] = []
    for (const { key, value } of map.items) {
      const name = nameOf(key)
      const held = new Value(this.#source, value as Node)
      const read = name === '<<' ? merged(held) : [{ name, place: this.#source.place(key), value: held }]
      fields.push(...read.map(field => ({ ...field, isAgain: seen.has(field.name) })))
      for (const each of read) seen.add(each.name)
    }
    return fields
  }
}

/** The fields of a map, or of several. Strict as it is, kube-scheduler lets none of them overrule another. */
function merged(held: Value): readonly Field[] {
  const maps = held.kind === 'list' ? held.items : [held]
  return maps.flatMap(map => map.fields)
}

function nameOf(key: unknown): string {
  if (!isScalar(key)) return ''
  return key.source ?? String(key.value)
}

/** One document with what its values share. */
class Source {
  readonly #lines: LineCounter
  readonly #targets = new Map<Alias, Node>()
  #left = patience
  #depth = 0

  constructor(lines: LineCounter, document: Document) {
    this.#lines = lines
    const anchors = new Map<string, Node>()
    visit(document, {
      Alias: (_, alias) => {
        const target = anchors.get(alias.source)
        if (target) this.#targets.set(alias, target)
      },
      Value: (_, node: Scalar | Node) => {
        if ('anchor' in node && node.anchor !== undefined) anchors.set(node.anchor, node)
      }
    })
  }

  place(node: unknown): Place {
    const start = (node as Node | null)?.range?.[0] ?? 0
    const { line, col } = this.#lines.linePos(start)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  /** Runs what may run itself again by way of `<<`. */
  within<T>(read: () => T): T {
    this.#depth++
    if (this.#depth > deepest) throw new UsageError(`it merges maps more than ${deepest} deep, or a map into itself`)
    const result = read()
    this.#depth--
    return result
  }

  target(node: Node): Node {
    this.#left--
    if (this.#left < 0) throw new UsageError('its aliases stand for more than 200,000 values')
    if (!isAlias(node)) return node
    const target = this.#targets.get(node)
    if (!target) throw new UsageError(`line ${this.place(node).line}: no anchor stands before alias *${node.source}`)
    return target
  }
}

/** The documents of a text; throws UsageError that names line and column for what is no YAML or too much of it. */
export function readDocuments(text: string): readonly Value[] {
  const lines = new LineCounter()
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  refuseDepth(tokens)
  const composer = new Composer({ version: '1.1', uniqueKeys: false, lineCounter: lines, logLevel: 'silent' })
  const documents: Value[] = []
  for (const document of composer.compose(tokens)) {
    const [error] = document.errors
    if (error) {
      const { line, col } = lines.linePos(error.pos[0])
      throw new UsageError(`line ${line}, column ${col}: no YAML: ${error.message}`)
    }
    if (document.contents) documents.push(new Value(new Source(lines, document), document.contents))
  }
  return documents
}

function refuseDepth(tokens: readonly CST.Token[]): void {
  const rest = tokens.map(token => ({ token, depth: 0 }))
  for (let next = rest.pop(); next; next = rest.pop()) {
    if (next.depth > deepest) throw new UsageError(`its values are nested more than ${deepest} deep`)
    for (const token of within(next.token)) rest.push({ token, depth: next.depth + 1 })
  }
}

function within(token: CST.Token): readonly CST.Token[] {
  const held = 'items' in token ? token.items.flatMap(item => [item.key, item.value]) : [documentOf(token)]
  return held.filter(each => each !== undefined && each !== null)
}

function documentOf(token: CST.Token): CST.Token | undefined {
  return token.type === 'document' ? token.value : undefined
}
