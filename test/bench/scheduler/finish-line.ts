import type { ApiClient } from '../../control-plane/client.ts'

/** Hears of every pod of a namespace that gets its node, and when. */
export class FinishLine {
  readonly #abort = new AbortController()
  readonly #arrivals = new Map<string, number>()
  readonly #reached: Promise<void>

  /** Until so many have arrived. */
  constructor(client: ApiClient, namespace: string, pods: number) {
    this.#reached = this.#follow(client, namespace, pods)
    // Whoever waits hears of it; nobody else has to.
    this.#reached.catch(() => {})
  }

  /** Rejects when it takes longer than that. */
  async reached(withinMs: number): Promise<void> {
    const { promise, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      reject(new Error(`only ${this.#arrivals.size} pods have a node after ${withinMs / 1000} s`))
    }, withinMs)
    try {
      await Promise.race([this.#reached, promise])
    } finally {
      clearTimeout(timer)
      this.#abort.abort()
    }
  }

  /** Pod → milliseconds on this process's monotonic clock. */
  get arrivals(): ReadonlyMap<string, number> {
    return this.#arrivals
  }

  async #follow(client: ApiClient, namespace: string, pods: number): Promise<void> {
    // The selector keeps everything else from being sent: each pod is heard of once it has a node.
    const path = `/api/v1/namespaces/${namespace}/pods?watch=true&fieldSelector=${encodeURIComponent('spec.nodeName!=')}`
    // A watch that ends is opened again, and then begins with what has a node by then.
    while (!this.#abort.signal.aborted) {
      for await (const line of client.lines(path, this.#abort.signal)) {
        // Read by hand, since parsing would take time from those who are measured.
        const [, name] = /"metadata":\{"name":"([^"]+)"/.exec(line) ?? []
        if (name === undefined || this.#arrivals.has(name)) continue
        this.#arrivals.set(name, performance.now())
        if (this.#arrivals.size === pods) return
      }
    }
  }
}
