import type { Client } from './store/client.ts'
import type { KubeObject } from './store/objects.ts'
import { keyOf } from './kinds.ts'

/** What changed: `previous` is missing for what is new, `object` for what is gone. */
export type Change<T extends KubeObject> = { readonly previous?: T; readonly object?: T }

/**
 * The objects of one resource as a watch tells of them, with look-ups by index. The watch is synchronous: what an
 * informer answers is what the store holds.
 */
export class Informer<T extends KubeObject = KubeObject> {
  readonly resource: string
  readonly #indexes: Readonly<Record<string, (object: T) => readonly string[]>>
  readonly #objects = new Map<string, T>()
  readonly #buckets = new Map<string, Map<string, T>>()
  readonly #listeners: ((change: Change<T>) => void)[] = []
  #stop: (() => void) | undefined

  constructor(resource: string, indexes: Readonly<Record<string, (object: T) => readonly string[]>> = {}) {
    this.resource = resource
    this.#indexes = indexes
  }

  /** Calls back on each change, after the indexes know of it; what is there when the watch opens comes first. */
  onChange(listener: (change: Change<T>) => void): void {
    this.#listeners.push(listener)
  }

  /** Opens the watch. */
  start(client: Client): void {
    this.#stop = client.watch(this.resource, ({ type, object }) => this.#take(type, object as T))
  }

  stop(): void {
    this.#stop?.()
    this.#listeners.length = 0
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  get size(): number {
    return this.#objects.size
  }

  keys(): Iterable<string> {
    return this.#objects.keys()
  }

  all(): Iterable<T> {
    return this.#objects.values()
  }

  /** The objects under a value of an index, in the order in which they were first seen. */
  by(index: string, value: string): readonly T[] {
    const bucket = this.#buckets.get(`${index}\n${value}`)
    return bucket === undefined ? [] : [...bucket.values()]
  }

  #take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const key = keyOf(object)
    const previous = this.#objects.get(key)
    const now = type === 'DELETED' ? undefined : object
    if (now === undefined) this.#objects.delete(key)
    else this.#objects.set(key, now)
    for (const [name, valuesOf] of Object.entries(this.#indexes)) this.#reindex(name, valuesOf, { previous, now, key })
    const change = { ...(previous && { previous }), ...(now && { object: now }) }
    for (const listener of this.#listeners) listener(change)
  }

  #reindex(
    name: string,
    valuesOf: (object: T) => readonly string[],
    { previous, now, key }: { previous: T | undefined; now: T | undefined; key: string }
  ): void {
    const values = now === undefined ? [] : valuesOf(now)
    for (const value of previous === undefined ? [] : valuesOf(previous))
      if (!values.includes(value)) this.#takeOut(`${name}\n${value}`, key)
    for (const value of values) this.#putIn(`${name}\n${value}`, key, now)
  }

  #takeOut(bucketKey: string, key: string): void {
    const bucket = this.#buckets.get(bucketKey)
    bucket?.delete(key)
    if (bucket?.size === 0) this.#buckets.delete(bucketKey)
  }

  #putIn(bucketKey: string, key: string, object: T | undefined): void {
    if (object === undefined) return
    const bucket = this.#buckets.get(bucketKey) ?? new Map<string, T>()
    this.#buckets.set(bucketKey, bucket.set(key, object))
  }
}
