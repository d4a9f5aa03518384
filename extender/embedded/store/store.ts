import type { WatchEvent } from './client.ts'
import { type KubeObject, StatusError } from './objects.ts'
import { settle } from './settle.ts'
import { type Change, Table } from './table.ts'

/** Whether an object is one of those that a list or a watch asks for. */
export type Matcher = (object: KubeObject) => boolean

type Watcher = {
  readonly listener: (event: WatchEvent) => void
  readonly matches: Matcher | undefined
  /** It has been told of everything up to this version. */
  since: number
  stopped: boolean
}

/** What a store needs from outside. */
export type StoreOptions = {
  /** Changes kept per resource for replay. */
  readonly history: number
  /** Told of a listener that throws. */
  readonly report: (error: unknown) => void
}

/** All objects of the embedded cluster by resource, one version counter over all, and who watches them. */
export class Store {
  readonly #options: StoreOptions
  readonly #tables = new Map<string, Table>()
  readonly #watchers = new Map<string, Set<Watcher>>()
  readonly #untold: { readonly resource: string; readonly change: Change }[] = []
  #telling = false
  #version = 1

  constructor(options: StoreOptions) {
    this.#options = options
  }

  /** The version of the last change. */
  get version(): number {
    return this.#version
  }

  table(resource: string): Table {
    let table = this.#tables.get(resource)
    if (table === undefined) this.#tables.set(resource, (table = new Table(this.#options.history)))
    return table
  }

  /** Stores a new object under the next version and answers it as stored. */
  add(resource: string, object: KubeObject): KubeObject {
    return this.#change(resource, 'ADDED', undefined, object)
  }

  /** Puts an object in the place of another; the answer is `previous` itself where nothing differs. */
  replace(resource: string, previous: KubeObject, object: KubeObject): KubeObject {
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: previous.metadata.resourceVersion } }
    if (settle(previous, next) === previous) return previous
    return this.#change(resource, 'MODIFIED', previous, object)
  }

  /** Takes an object out; `last` is its state at the end. */
  remove(resource: string, previous: KubeObject, last: KubeObject = previous): KubeObject {
    return this.#change(resource, 'DELETED', previous, last)
  }

  /** Tells of all changes after `from`; without it, first of what is there as ADDED. */
  watch(
    resource: string,
    listener: (event: WatchEvent) => void,
    options: { readonly from?: number | undefined; readonly matches?: Matcher | undefined }
  ): () => void {
    const { from, matches } = options
    const watcher: Watcher = { listener, matches, since: this.#version, stopped: false }
    const initial = from === undefined ? this.#existing(resource, matches) : this.#replay(resource, from, matches)
    const all = this.#watchers.get(resource) ?? new Set()
    this.#watchers.set(resource, all.add(watcher))
    this.#tellFirst(watcher, initial)
    return () => {
      watcher.stopped = true
      all.delete(watcher)
    }
  }

  /** What a watch begins with; what its listener writes meanwhile is told after that. */
  #tellFirst(watcher: Watcher, events: readonly WatchEvent[]): void {
    const isNested = this.#telling
    this.#telling = true
    for (const event of events) if (!watcher.stopped) this.#tellOne(watcher, event)
    this.#telling = isNested
    this.#tell()
  }

  #existing(resource: string, matches: Matcher | undefined): readonly WatchEvent[] {
    const objects = this.table(resource).list()
    const wanted = matches === undefined ? objects : objects.filter(matches)
    return wanted.map(object => ({ type: 'ADDED', object }))
  }

  #replay(resource: string, from: number, matches: Matcher | undefined): readonly WatchEvent[] {
    this.checkVersion(resource, from)
    const changes = this.table(resource).changesAfter(from)
    return changes.flatMap(change => eventFor(change, matches) ?? [])
  }

  /** Throws where the state at a version of a resource is not known any more, or not yet. */
  checkVersion(resource: string, version: number): void {
    const { forgotten } = this.table(resource)
    if (version < forgotten)
      throw new StatusError(410, 'Expired', `too old resource version: ${version} (${forgotten})`)
    if (version > this.#version) throw tooLarge(version, this.#version)
  }

  #change(resource: string, type: Change['type'], previous: KubeObject | undefined, object: KubeObject): KubeObject {
    const version = this.#version + 1
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
    const stored = settle(previous, next) as KubeObject
    this.#version = version
    const change: Change = { version, type, object: stored, previous }
    this.table(resource).record(change)
    this.#untold.push({ resource, change })
    this.#tell()
    return stored
  }

  /** A listener may write: what follows from that is told after what is being told, so that all see one order. */
  #tell(): void {
    if (this.#telling) return
    this.#telling = true
    for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift())
      this.#tellAll(next.resource, next.change)
    this.#telling = false
  }

  #tellAll(resource: string, change: Change): void {
    for (const watcher of this.#watchers.get(resource) ?? []) {
      if (watcher.stopped || watcher.since >= change.version) continue
      watcher.since = change.version
      const event = eventFor(change, watcher.matches)
      if (event !== undefined) this.#tellOne(watcher, event)
    }
  }

  #tellOne(watcher: Watcher, event: WatchEvent): void {
    try {
      watcher.listener(event)
    } catch (error) {
      this.#options.report(error)
    }
  }
}

/** What one watch sees of a change: an object that leaves its selection is deleted for it, one that enters is added. */
function eventFor(change: Change, matches: Matcher | undefined): WatchEvent | undefined {
  const { type, object, previous } = change
  if (matches === undefined) return { type, object }
  if (type !== 'MODIFIED' || previous === undefined) return matches(object) ? { type, object } : undefined
  const [was, is] = [matches(previous), matches(object)]
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object }
  if (!was) return undefined
  const { resourceVersion } = object.metadata
  const gone = { ...previous, metadata: { ...previous.metadata, resourceVersion } }
  return { type: 'DELETED', object: settle(previous, gone) as KubeObject }
}

function tooLarge(version: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${version}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1
  })
}
