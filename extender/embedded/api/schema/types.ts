import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A type of the API: a scalar, anything, an object with known fields, a map, or a list. */
export type Type =
  | { readonly is: 'string' | 'int' | 'number' | 'bool' | 'quantity' | 'intstr' | 'time' | 'any' }
  | { readonly is: 'object'; readonly name: string; readonly fields: ReadonlyMap<string, Field> }
  | { readonly is: 'map'; readonly of: Type }
  | ListType

export type ListType = {
  readonly is: 'list'
  readonly of: Type
  /** Strategic merge: the field that tells the entries apart, `*` where the entries do so themselves; none replaces. */
  readonly mergeKey: string | undefined
  /** Server-side apply: the fields that tell the entries apart, `*` for a set; none replaces. */
  readonly applyKeys: readonly string[]
}

export type Field = {
  readonly type: Type
  readonly required: boolean
  /** Strategic merge may name with `$retainKeys` which of the object's fields stay. */
  readonly retainKeys: boolean
}

/**
 * The built-in types as Kubernetes 1.36 publishes them, read from kubernetes.txt (test/embedded/api-schema.ts writes
 * it): a line per type, `!` is required, `^` retainKeys, `[T]` a list, `{T}` a map, `[T/merge key/apply keys]`.
 */
class Types {
  readonly #lines = new Map<string, string>()
  readonly #kinds = new Map<string, string>()
  readonly #parsed = new Map<string, Type>()

  constructor(text: string) {
    const [kinds = '', types = ''] = text.split('\n\n')
    for (const line of kinds.split('\n')) {
      const [kind = '', name = ''] = line.split(' = ')
      this.#kinds.set(kind, name)
    }
    for (const line of types.split('\n')) {
      const space = line.indexOf(' ')
      this.#lines.set(space < 0 ? line : line.slice(0, space), space < 0 ? '' : line.slice(space + 1))
    }
  }

  /** The type of a kind's objects; undefined for custom ones. */
  ofKind(apiVersion: string, kind: string): Type | undefined {
    const name = this.#kinds.get(`${apiVersion}/${kind}`)
    return name === undefined ? undefined : this.named(name)
  }

  named(name: string): Type {
    const known = this.#parsed.get(name)
    if (known !== undefined) return known
    const line = this.#lines.get(name)
    if (line === undefined) return { is: name as 'any' }
    const fields = new Map<string, Field>()
    const type: Type = { is: 'object', name, fields }
    // Before its fields, since types may hold themselves.
    this.#parsed.set(name, type)
    for (const word of line.split(' ')) this.#addField(fields, word)
    return type
  }

  #addField(fields: Map<string, Field>, word: string): void {
    const colon = word.indexOf(':')
    if (colon < 0) return
    const name = word.slice(0, colon)
    const type = this.#parse(word.slice(colon + 1))
    fields.set(name.replace(/[!^]+$/, ''), { type, required: name.includes('!'), retainKeys: name.includes('^') })
  }

  #parse(text: string): Type {
    if (text.startsWith('{')) return { is: 'map', of: this.#parse(text.slice(1, -1)) }
    if (!text.startsWith('[')) return this.named(text)
    const [of = '', merge = '', apply] = text.slice(1, -1).split('/')
    const mergeKey = merge === '' ? undefined : merge
    const keys = apply ?? merge
    return { is: 'list', of: this.#parse(of), mergeKey, applyKeys: keys === '' ? [] : keys.split(',') }
  }
}

let types: Types | undefined

function all(): Types {
  types ??= new Types(readFileSync(join(import.meta.dirname, 'kubernetes.txt'), 'utf8'))
  return types
}

/** The type of a built-in kind's objects; undefined for custom ones. */
export function typeOfKind(apiVersion: string, kind: string): Type | undefined {
  return all().ofKind(apiVersion, kind)
}

/** A built-in type by its name, as `ObjectMeta`. */
export function typeNamed(name: string): Type {
  return all().named(name)
}
