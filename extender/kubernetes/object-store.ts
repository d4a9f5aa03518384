import type { Log } from './log.ts'
import { reasonOf } from '../errors.ts'
import { type Json, object, text } from '../json.ts'

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** Told synchronously, in the server's order. What it throws is logged and changes nothing. */
export interface ReflectorHandler<T> {
  /**
   * Some of the first list, while the rest is still on its way: receivers that do their work now do not do all of it at
   * once. Nothing follows from what is missing: `replace` comes with all, also of this.
   */
  foretell?(items: readonly T[]): void
  /**
   * The whole set, after the first list and after each later one: what is not in it is gone. What is in it unchanged is
   * the same object as before.
   */
  replace(items: readonly T[]): void
  /**
   * One change since. An object that was deleted and made again under its name comes as DELETED with the old item,
   * then ADDED; a MODIFIED item has the uid of the one before; a DELETED item is the last version known.
   */
  apply(type: ChangeType, item: T): void
}

export type ObjectStoreOptions<T> = {
  readonly resource: string
  /** The slim form of an object; undefined leaves it out. May throw: the object is then left out and logged once. */
  readonly project: (json: Json) => T | undefined
  readonly handler: ReflectorHandler<T>
  readonly log: Log
  /** Told of what the handler has thrown: it has missed a change. */
  readonly handlerFailed?: (error: unknown) => void
}

type Entry<T> = { readonly uid: string; readonly version: string; readonly item: T }
export type Entries<T> = Map<string, Entry<T>>

/** So many bad objects are remembered, so that each is logged once. */
const rememberedBad = 1_000

/** What was last seen of one resource, by name, so that the handler hears consistent changes whatever the server sends. */
export class ObjectStore<T> {
  readonly #options: ObjectStoreOptions<T>
  readonly #bad = new Set<string>()
  #entries: Entries<T> = new Map()
  #listed = false

  constructor(options: ObjectStoreOptions<T>) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  /** Projects some objects of a list into `entries`; what has not changed since keeps its item, so that receivers see it at a glance. */
  collect(entries: Entries<T>, items: readonly unknown[]): void {
    const found: T[] = []
    for (const json of items) {
      const key = keyOf(object(json))
      const entry = this.#unchanged(key, object(json)) ?? this.#projected(key, object(json))
      if (!entry) continue
      entries.set(key, entry)
      found.push(entry.item)
    }
    if (!this.#listed) this.#tell(handler => handler.foretell?.(found))
  }

  /** The list is complete: these are all. */
  replace(entries: Entries<T>): void {
    this.#entries = entries
    this.#listed = true
    this.#tell(handler => handler.replace(Array.from(entries.values(), entry => entry.item)))
  }

  /** One event of the watch. */
  apply(type: string, json: Json): void {
    const key = keyOf(json)
    const before = this.#entries.get(key)
    if (type === 'DELETED') {
      // A late word about an earlier object of that name says nothing about the present one.
      if (before?.uid === uidOf(json)) this.#drop(key, before)
      return
    }
    const after = this.#projected(key, json)
    if (before && before.uid !== after?.uid) this.#drop(key, before)
    if (!after) return
    this.#entries.set(key, after)
    const change = before?.uid === after.uid ? 'MODIFIED' : 'ADDED'
    this.#tell(handler => handler.apply(change, after.item))
  }

  #drop(key: string, entry: Entry<T>): void {
    this.#entries.delete(key)
    this.#tell(handler => handler.apply('DELETED', entry.item))
  }

  #unchanged(key: string, json: Json): Entry<T> | undefined {
    const known = this.#entries.get(key)
    return known && known.version === versionOf(json) && known.uid === uidOf(json) ? known : undefined
  }

  #projected(key: string, json: Json): Entry<T> | undefined {
    try {
      const item = this.#options.project(json)
      return item === undefined ? undefined : { uid: uidOf(json), version: versionOf(json), item }
    } catch (error) {
      this.#logBad(key, error)
      return undefined
    }
  }

  #logBad(key: string, error: unknown): void {
    const { resource, log } = this.#options
    if (this.#bad.has(key) || this.#bad.size >= rememberedBad) return
    this.#bad.add(key)
    log.warn({ resource, object: key.slice(0, 200), reason: reasonOf(error) }, 'Skipped an object that cannot be read')
  }

  #tell(call: (handler: ReflectorHandler<T>) => void): void {
    const { resource, handler, log, handlerFailed } = this.#options
    try {
      call(handler)
    } catch (error) {
      log.error({ resource, err: error }, 'A handler of a change failed')
      handlerFailed?.(error)
    }
  }
}

function keyOf(json: Json): string {
  const metadata = object(json.metadata)
  return `${text(metadata.namespace) ?? ''}/${text(metadata.name) ?? ''}`
}

function versionOf(json: Json): string {
  return text(object(json.metadata).resourceVersion) ?? ''
}

function uidOf(json: Json): string {
  return text(object(json.metadata).uid) ?? ''
}
