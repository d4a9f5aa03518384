import { pause } from '../clock.ts'
import { Backoff } from '../backoff.ts'
import { statusMessage } from '../json.ts'
import { Reflector, type ReflectorOptions } from './reflector.ts'

/** What may not be read now may be allowed later, and a new API may take a second: asked again after so long. */
const askAgain = { first: 1_000, most: 60_000 }
/** An API server that does not answer is asked again sooner. */
const retryMs = 1_000

/**
 * A reflector of something that muster can do without: where the API server says that it may not be read, or is not
 * there, it says so once, keeps nobody waiting, and asks again from time to time.
 */
export class OptionalReflector<T> {
  readonly #options: ReflectorOptions<T>
  readonly #stopping = new AbortController()
  readonly #settled = Promise.withResolvers<void>()
  readonly #askAgain: Backoff
  #reflector: Reflector<T> | undefined
  #running: Promise<void> | undefined
  #refused = false

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#askAgain = new Backoff(askAgain, options.random)
  }

  /** Listed, or known not to be readable. */
  get synced(): boolean {
    return this.#refused || this.#reflector?.synced === true
  }

  /** Resolves with `synced`, or when it is stopped. */
  whenSynced(): Promise<void> {
    return this.#settled.promise
  }

  /** Begins; further calls change nothing. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends for good; resolves once nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#settled.resolve()
    await this.#running
    await this.#reflector?.stop()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      const wait = await this.#ask()
      if (signal.aborted) return
      if (wait === 0) break
      await pause(this.#options.clock, wait, signal)
    }
    this.#refused = false
    this.#reflector = new Reflector(this.#options)
    this.#reflector.start()
    void this.#reflector.whenSynced().then(() => this.#settled.resolve())
  }

  /** Answers how long to wait before the next question; 0 where the answer is yes. */
  async #ask(): Promise<number> {
    const { api, path, log, resource } = this.#options
    try {
      const ask = { method: 'GET', path, query: { limit: 1 }, signal: this.#stopping.signal } as const
      const { status, body } = await api.request(ask)
      if (status === 200) return 0
      if (status !== 401 && status !== 403 && status !== 404) return retryMs
      const reason = statusMessage(status, body)
      if (!this.#refused)
        log.warn({ resource, status, reason }, `cannot read ${resource} (${status}); going on without`)
      this.#refused = true
      this.#settled.resolve()
      return this.#askAgain.next()
    } catch {
      return retryMs
    }
  }
}
