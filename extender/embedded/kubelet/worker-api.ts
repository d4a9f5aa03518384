/** One message, as a worker's function gets it. */
export type Message<T = unknown> = {
  readonly value: T
  /** Answers the sender; missing where it does not wait for an answer. */
  readonly reply?: (value: unknown) => void
  /** Tells the sender that there will be no answer, and why. */
  readonly fail?: (error: string | Error) => void
}

/** The input queue of a container. Iteration ends, and `get` answers null, when the container is to stop. */
export interface Queue<T = unknown> extends AsyncIterable<Message<T>> {
  /** The next message; null is the sentinel: stop. With a time limit, undefined once it has passed. */
  get(): Promise<Message<T> | null>
  get(options: { readonly timeoutMs: number }): Promise<Message<T> | null | undefined>
  /** Messages that wait. */
  readonly size: number
}

/** What a worker may ask of the cluster. Sending never waits; a request is a future with a time limit. */
export interface WorkerApi {
  /** The pod's name, namespace and address. */
  readonly self: { readonly name: string; readonly namespace: string; readonly podIP: string }
  send(container: string, value: unknown): void
  request(container: string, value: unknown, options?: { readonly timeoutMs?: number }): Promise<unknown>
  sendToService(service: string, value: unknown): void
  requestService(service: string, value: unknown, options?: { readonly timeoutMs?: number }): Promise<unknown>
  /** What the readiness probe says from now on. */
  ready(ready: boolean): void
}

/** What the function of a container is called with, by name. */
export type WorkerArguments<Params = Readonly<Record<string, unknown>>, T = unknown> = {
  readonly queue: Queue<T>
  readonly api: WorkerApi
  readonly params: Params
  /** Aborted when the container is to stop. */
  readonly signal: AbortSignal
}
