import { pause, type Clock, type Random } from '../clock.ts'
import { Backoff } from '../backoff.ts'
import { Complaints } from './complaints.ts'
import type { ApiServer } from './api-server.ts'
import type { Fields } from './fields.ts'
import type { Json } from '../json.ts'
import { object, text } from '../json.ts'
import { isOlder, list } from './list.ts'
import type { Log } from './log.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { type Entries, ObjectStore, type ReflectorHandler } from './object-store.ts'
import type { Tracer } from './tracer.ts'
import { type WatchEnd, watch } from './watch.ts'

export type ReflectorOptions<T> = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: KubernetesMetrics
  /** Shared by the reflectors of one server, so that its death is one line in the log. */
  readonly complaints?: Complaints
  /** Label of metrics and logs, such as `pods`. */
  readonly resource: string
  /** Collection, such as `/api/v1/pods`. */
  readonly path: string
  /** More of the query: `labelSelector`, `fieldSelector`. */
  readonly query?: Readonly<Record<string, string>>
  /** The slim form of an object; undefined leaves it out; may throw. */
  readonly project: (json: Json) => T | undefined
  /** What `project` reads: of a list, nothing else is. Without it all. */
  readonly fields?: Fields
  readonly handler: ReflectorHandler<T>
  /** Told of what the handler has thrown: it has missed a change. */
  readonly handlerFailed?: (error: unknown) => void
  /** Absent while nobody traces. */
  readonly tracer?: Tracer | undefined
  /** Objects per page, default 500. */
  readonly pageSize?: number
  /** A watch without a byte for so long is opened anew; default `usualIdleMs`. */
  readonly idleMs?: number
  /** No pause between attempts is longer; default 30 s. */
  readonly longestPauseMs?: number
  /** Each watch is asked to last between these, seconds; default 300 to 600. */
  readonly watchSeconds?: readonly [number, number]
}

/** Bookmarks come each minute. */
export const usualIdleMs = 90_000
/** A watch that ends sooner, without an event, is no success. */
const shortWatchMs = 1_000
/** A watch that lives so long shows that listing again helped. */
const healthyWatchMs = 30_000

/**
 * Keeps a handler told of all objects of one resource: list, then watch, for ever, until `stop()`.
 * It outlives refusals, resets, silence and nonsense of the server; while it does, what it told grows `staleness`.
 */
export class Reflector<T> {
  readonly #options: ReflectorOptions<T>
  readonly #store: ObjectStore<T>
  readonly #complaints: Complaints
  readonly #stopping = new AbortController()
  readonly #retry: Backoff
  /** Its own, so that lists which succeed and watches which expire cannot chase each other at full speed. */
  readonly #relist: Backoff
  readonly #firstSync = Promise.withResolvers<void>()
  #running: Promise<void> | undefined
  #synced = false
  #heard: number
  #version: string | undefined
  #mustList = true

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#store = new ObjectStore(options)
    this.#complaints = options.complaints ?? new Complaints(options.clock, options.log)
    const pauses = { first: 500, most: options.longestPauseMs ?? 30_000 }
    this.#retry = new Backoff(pauses, options.random)
    this.#relist = new Backoff(pauses, options.random)
    this.#heard = options.clock.now()
    options.metrics.watchCache(options.resource, this)
  }

  /** True once the first list is complete. */
  get synced(): boolean {
    return this.#synced
  }

  /** Resolves with `synced`; never where the reflector is stopped before. */
  whenSynced(): Promise<void> {
    return this.#firstSync.promise
  }

  /** Milliseconds since the server last sent a byte for this resource. */
  staleness(): number {
    return this.#options.clock.now() - this.#heard
  }

  /** Objects known. */
  get size(): number {
    return this.#store.size
  }

  /** Begins; further calls change nothing. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends for good; resolves once nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const delay = this.#mustList ? await this.#listOnce() : await this.#watchOnce()
      if (delay > 0) await pause(this.#options.clock, delay, signal)
    }
  }

  /** Answers how long to wait before the next step, milliseconds. */
  async #listOnce(): Promise<number> {
    const { api, clock, path, query = {}, pageSize = 500, resource, fields, tracer } = this.#options
    const entries: Entries<T> = new Map()
    const from = clock.now()
    const end = await list({
      ...{ api, clock, path, query, pageSize, fields, signal: this.#stopping.signal },
      onItems: items => {
        this.#heard = clock.now()
        this.#store.collect(entries, items)
      }
    })
    if (this.#stopping.signal.aborted) return 0
    tracer?.listed({ resource, from, objects: entries.size, ...(end.ok ? {} : { reason: end.reason }) })
    if (!end.ok) return this.#failed(end.reason, end)
    if (this.#version !== undefined && isOlder(end.resourceVersion, this.#version)) {
      return this.#failed(`the list shows version ${end.resourceVersion}, older than ${this.#version} seen before`)
    }
    this.#listed(entries, end.resourceVersion)
    return 0
  }

  #listed(entries: Entries<T>, version: string): void {
    this.#version = version
    this.#mustList = false
    this.#retry.reset()
    this.#store.replace(entries)
    this.#recovered()
    if (this.#synced) return
    this.#synced = true
    this.#firstSync.resolve()
  }

  async #watchOnce(): Promise<number> {
    const { api, clock, path, idleMs = usualIdleMs } = this.#options
    const began = clock.now()
    let events = 0
    const end = await watch({
      ...{ api, clock, path, idleMs, query: this.#watchQuery(), signal: this.#stopping.signal },
      onBytes: () => {
        this.#heard = clock.now()
      },
      onEvent: (type, json) => {
        events += 1
        this.#take(type, json)
      }
    })
    if (this.#stopping.signal.aborted) return 0
    const lasted = clock.now() - began
    if (lasted >= healthyWatchMs) this.#relist.reset()
    if (events > 0 || lasted >= healthyWatchMs) this.#retry.reset()
    return this.#afterWatch(end, events > 0 || lasted >= shortWatchMs)
  }

  #afterWatch(end: WatchEnd, useful: boolean): number {
    switch (end.kind) {
      case 'closed':
        if (!useful) return this.#failed('the server closes each watch at once')
        return 0
      case 'expired':
        this.#mustList = true
        this.#options.log.debug({ resource: this.#options.resource, reason: end.reason }, 'Listing again')
        return this.#relist.next()
      case 'busy':
        return this.#failed(end.reason, end)
      case 'broken':
        this.#mustList = true
        return this.#failed(end.reason, { retryAfterMs: Math.max(end.retryAfterMs ?? 0, this.#relist.next()) })
    }
  }

  #watchQuery(): Record<string, string | number | boolean | undefined> {
    const { query = {}, watchSeconds = [300, 600], random } = this.#options
    const [least, most] = watchSeconds
    return {
      ...query,
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: this.#version,
      timeoutSeconds: Math.round(least + random() * (most - least))
    }
  }

  #take(type: string, json: Json): void {
    if (type !== 'BOOKMARK') this.#store.apply(type, json)
    this.#version = text(object(json.metadata).resourceVersion) ?? this.#version
    this.#recovered()
  }

  /** Answers the delay. */
  #failed(reason: string, end: { readonly retryAfterMs?: number; readonly unreachable?: boolean } = {}): number {
    const { api, resource } = this.#options
    if (end.unreachable) {
      this.#complaints.tell(api.url, reason, `cannot reach the API server at ${api.url}: ${reason}; retrying`)
    } else {
      this.#complaints.tell(resource, reason, `cannot read ${resource} from ${api.url}: ${reason}; retrying`)
    }
    return this.#retry.next(end.retryAfterMs)
  }

  #recovered(): void {
    this.#complaints.over(this.#options.api.url)
    this.#complaints.over(this.#options.resource)
  }
}
