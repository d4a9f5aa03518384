import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, ApiError } from './client.ts'
import type { ApiObject } from './objects.ts'

/** One change of an object, with the time it was heard of. */
export interface Change<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: T
  /** Milliseconds on this process's monotonic clock. */
  readonly at: number
}

interface List<T> {
  readonly metadata: { readonly resourceVersion: string }
  readonly items: readonly T[]
}

interface WatchLine<T> {
  readonly type: Change<T>['type'] | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

/** All objects of one kind, kept up to date over a watch that survives an API server that goes and comes. */
export class LiveStore<T extends ApiObject> {
  readonly #client: ApiClient
  readonly #path: string
  readonly #objects = new Map<string, T>()
  readonly #listeners = new Set<(change: Change<T>) => void>()
  readonly #waiters = new Set<() => void>()
  readonly #abort = new AbortController()
  #version: string | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(client: ApiClient, path: string) {
    this.#client = client
    this.#path = path
  }

  /** Lists once, then follows. */
  async start(): Promise<this> {
    await this.#list()
    this.#running = this.#follow()
    return this
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#running
  }

  values(): readonly T[] {
    return [...this.#objects.values()]
  }

  /** Hears every change from now on. */
  onChange(listener: (change: Change<T>) => void): void {
    this.#listeners.add(listener)
  }

  /** Waits until `condition` holds; looks at it after every change and, for what no change shows, ten times a second. */
  async waitFor(what: string, condition: () => boolean, options: WaitOptions = {}): Promise<void> {
    const { timeout = 30_000, describe } = options
    const deadline = performance.now() + timeout
    while (!condition()) {
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`not within ${timeout / 1000} s: ${what}${describe ? `\n${describe()}` : ''}`)
      await this.#changed(Math.min(100, left))
    }
  }

  #changed(within: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, within)
      this.#waiters.add(done)
    })
  }

  async #list(): Promise<void> {
    const list = await this.#client.get<List<T>>(this.#path)
    const seen = new Set(list.items.map(object => object.metadata.uid))
    for (const [uid, object] of this.#objects) if (!seen.has(uid)) this.#apply('DELETED', object)
    for (const object of list.items) {
      const known = this.#objects.get(object.metadata.uid)
      if (known?.metadata.resourceVersion === object.metadata.resourceVersion) continue
      this.#apply(known ? 'MODIFIED' : 'ADDED', object)
    }
    this.#version = list.metadata.resourceVersion
  }

  async #follow(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list()
        await this.#watch()
      } catch (error) {
        if (error instanceof ApiError && error.status === 410) this.#version = undefined
        await sleep(50)
      }
    }
  }

  async #watch(): Promise<void> {
    const path = `${this.#path}?watch=true&allowWatchBookmarks=true&resourceVersion=${this.#version}`
    for await (const line of this.#client.lines(path, this.#abort.signal)) {
      const { type, object } = JSON.parse(line) as WatchLine<T>
      if (type === 'ERROR') throw new ApiError((object as unknown as { code: number }).code, line)
      this.#version = object.metadata.resourceVersion
      if (type !== 'BOOKMARK') this.#apply(type, object)
    }
  }

  #apply(type: Change<T>['type'], object: T): void {
    const change = { type, object, at: performance.now() }
    if (type === 'DELETED') this.#objects.delete(object.metadata.uid)
    else this.#objects.set(object.metadata.uid, object)
    for (const listener of this.#listeners) listener(change)
    for (const waiter of this.#waiters) waiter()
  }
}

/** How long to wait, and what to say when it was too long. */
export interface WaitOptions {
  /** Milliseconds; default 30,000. */
  readonly timeout?: number
  readonly describe?: () => string
}
