/** How much waits at most while sandboxes start. */
export type WaitingLimits = {
  /** Requests of one project. */
  readonly requests: number
  /** Bytes of all requests: their heads, and what has been read of their bodies. */
  readonly bytes: number
}

/** Requests that wait for their sandbox. Their bodies stay with their senders, but for what a socket has read ahead. */
export class WaitingRoom {
  readonly #limits: WaitingLimits
  readonly #requests = new Map<string, number>()
  #bytes = 0

  constructor(limits: WaitingLimits) {
    this.#limits = limits
  }

  /** How many wait. */
  get size(): number {
    let size = 0
    for (const count of this.#requests.values()) size += count
    return size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Lets a request in; the answer lets it out again, once. Undefined where the room is full. */
  enter(project: string, bytes: number): (() => void) | undefined {
    const before = this.#requests.get(project) ?? 0
    if (before >= this.#limits.requests || this.#bytes + bytes > this.#limits.bytes) return undefined
    this.#requests.set(project, before + 1)
    this.#bytes += bytes
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      this.#bytes -= bytes
      const left = (this.#requests.get(project) ?? 1) - 1
      if (left === 0) this.#requests.delete(project)
      else this.#requests.set(project, left)
    }
  }
}
