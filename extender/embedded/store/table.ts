import type { KubeObject } from './objects.ts'

/** One change, as watches are told of it; `previous` is missing for a creation. */
export type Change = {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

/** The objects of one resource, by namespace and name, and its latest changes. */
export class Table {
  readonly #history: number
  readonly #namespaces = new Map<string, Shelf>()
  #changes: Change[] = []
  #first = 0
  #forgotten = 0
  #size = 0

  constructor(history: number) {
    this.#history = history
  }

  get size(): number {
    return this.#size
  }

  /** The version of the newest change that can no longer be replayed. */
  get forgotten(): number {
    return this.#forgotten
  }

  get(namespace: string, name: string): KubeObject | undefined {
    return this.#namespaces.get(namespace)?.objects.get(name)
  }

  /** The objects of one namespace, or of all, ordered by namespace and name. */
  list(namespace?: string): readonly KubeObject[] {
    if (namespace !== undefined) return this.#namespaces.get(namespace)?.sorted() ?? []
    const only = this.#namespaces.size === 1 ? this.#namespaces.values().next().value : undefined
    if (only !== undefined) return only.sorted()
    return [...this.#namespaces.keys()].toSorted(byCodeUnit).flatMap(name => this.#namespaces.get(name)?.sorted() ?? [])
  }

  /** The objects as they were at a version that is not forgotten, in the same order. */
  listAt(version: number, namespace?: string): readonly KubeObject[] {
    const undone = new Map<string, KubeObject | undefined>()
    for (let index = this.#changes.length - 1; index >= this.#first; index--) {
      const change = this.#changes[index]
      if (change === undefined || change.version <= version) break
      undone.set(keyOf(change.object), change.previous)
    }
    if (undone.size === 0) return this.list(namespace)
    const rest = this.list(namespace).filter(object => !undone.has(keyOf(object)))
    const back = [...undone.values()].filter(object => object !== undefined)
    const there = namespace === undefined ? back : back.filter(object => object.metadata.namespace === namespace)
    return [...rest, ...there].toSorted(byKey)
  }

  /** The changes after a version that is not forgotten. */
  changesAfter(version: number): readonly Change[] {
    let start = this.#changes.length
    while (start > this.#first && (this.#changes[start - 1]?.version ?? 0) > version) start--
    return this.#changes.slice(start)
  }

  /** Records a change and makes it the state. */
  record(change: Change): void {
    const { namespace = '', name } = change.object.metadata
    const shelf = this.#shelf(namespace)
    if (change.type === 'DELETED') shelf.remove(name)
    else shelf.put(name, change.object)
    if (shelf.objects.size === 0) this.#namespaces.delete(namespace)
    this.#size += change.type === 'ADDED' ? 1 : change.type === 'DELETED' ? -1 : 0
    this.#changes.push(change)
    this.#compact()
  }

  #shelf(namespace: string): Shelf {
    let shelf = this.#namespaces.get(namespace)
    if (shelf === undefined) this.#namespaces.set(namespace, (shelf = new Shelf()))
    return shelf
  }

  #compact(): void {
    if (this.#changes.length - this.#first <= this.#history) return
    this.#forgotten = this.#changes[this.#first]?.version ?? this.#forgotten
    this.#changes[this.#first++] = forgottenChange
    if (this.#first < this.#history) return
    this.#changes = this.#changes.slice(this.#first)
    this.#first = 0
  }
}

/** Stands in the slots of forgotten changes, so that they hold no objects. */
const forgottenChange: Change = Object.freeze({
  version: 0,
  type: 'DELETED',
  object: Object.freeze({ apiVersion: '', kind: '', metadata: Object.freeze({ name: '' }) }),
  previous: undefined
})

/** The objects of one namespace; sorted when somebody lists them. */
class Shelf {
  readonly objects = new Map<string, KubeObject>()
  #names: string[] | undefined
  #sorted: readonly KubeObject[] | undefined

  put(name: string, object: KubeObject): void {
    if (!this.objects.has(name)) this.#names = undefined
    this.#sorted = undefined
    this.objects.set(name, object)
  }

  remove(name: string): void {
    this.objects.delete(name)
    this.#names = undefined
    this.#sorted = undefined
  }

  sorted(): readonly KubeObject[] {
    if (this.#sorted !== undefined) return this.#sorted
    this.#names ??= [...this.objects.keys()].toSorted(byCodeUnit)
    // Handed out as it is, so nobody may change it.
    this.#sorted = Object.freeze(this.#names.flatMap(name => this.objects.get(name) ?? []))
    return this.#sorted
  }
}

/** etcd's order: by bytes, which for the ASCII of names is by code units. */
const byCodeUnit = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

/** The key that orders and pages a resource's objects. */
export const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`

const byKey = (one: KubeObject, other: KubeObject): number =>
  byCodeUnit(one.metadata.namespace ?? '', other.metadata.namespace ?? '') ||
  byCodeUnit(one.metadata.name, other.metadata.name)
