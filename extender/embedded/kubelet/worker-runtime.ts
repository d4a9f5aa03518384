import { isFinished, type Pod, uidOf } from '../kinds.ts'
import type { LogLine } from './logs.ts'
import { Mailbox } from './mailbox.ts'
import { type Backoff, type Host, type LogOptions, type OpenRuntime, type PodRuntime, usualBackoff } from './runtime.ts'
import type { Call } from './worker-container.ts'
import { WorkerPod } from './worker-pod.ts'
import type { Floor } from './worker-slot.ts'
import { isWorkerPod } from './worker-spec.ts'

/** Who delivers what containers send to each other. */
export interface Post {
  /** The input queue of a container; the same one through all its restarts. */
  mailboxOf(pod: Pod, container: string): Mailbox
  /** What a container asks of another; resolves with the answer, or at once where none is awaited. */
  call(pod: Pod, call: Call): Promise<unknown>
}

export type WorkerRuntimeOptions = {
  /** The folder that modules are in; nothing outside of it is run. */
  readonly root: string
  readonly post?: Post
  readonly backoff?: Backoff
  /** How many threads run at once; others wait. Default 64. */
  readonly limit?: number
}

/** Runs the containers of pods with the annotation `k4s/module` as worker threads. No security boundary. */
export const workerRuntime =
  (options: WorkerRuntimeOptions): OpenRuntime =>
  host =>
    new Workers(host, options)

const noPost: Post = {
  mailboxOf: () => new Mailbox(),
  call: () => Promise.reject(new Error('nobody delivers messages between containers here'))
}

class Workers implements PodRuntime {
  readonly name = 'worker'
  readonly #floor: Floor
  readonly #limit: number
  readonly #pods = new Map<string, WorkerPod>()
  readonly #waiting = new Map<string, Pod>()
  #threads = 0
  #drained: (() => void) | undefined

  constructor(host: Host, options: WorkerRuntimeOptions) {
    const { root, post = noPost, backoff = usualBackoff, limit = 64 } = options
    this.#limit = limit
    this.#floor = {
      ...{ host, root, backoff },
      mailboxOf: (pod, container) => post.mailboxOf(pod, container),
      call: (pod, call) => post.call(pod, call),
      enter: pod => this.#enter(pod),
      leave: () => this.#leave()
    }
  }

  handles(pod: Pod): boolean {
    return isWorkerPod(pod)
  }

  sync(pod: Pod): void {
    const uid = uidOf(pod)
    const known = this.#pods.get(uid)
    if (known === undefined && isFinished(pod)) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#floor.host.release(pod)
      return
    }
    const worker = known ?? new WorkerPod(this.#floor, pod)
    this.#pods.set(uid, worker)
    worker.sync(pod)
    this.#wake()
  }

  forget(uid: string): void {
    this.#pods.get(uid)?.kill()
    this.#pods.delete(uid)
    this.#waiting.delete(uid)
    this.#wake()
  }

  logs(pod: Pod, { container, previous }: LogOptions): readonly LogLine[] | undefined {
    const book = this.#pods.get(uidOf(pod))?.book(container)
    return previous === true ? book?.previous : book?.lines
  }

  async stop(): Promise<void> {
    for (const uid of this.#pods.keys()) this.forget(uid)
    if (this.#threads > 0) await new Promise<void>(resolve => (this.#drained = resolve))
  }

  #enter(pod: Pod): boolean {
    if (this.#threads >= this.#limit) {
      this.#waiting.set(uidOf(pod), pod)
      return false
    }
    this.#threads++
    return true
  }

  #leave(): void {
    this.#threads--
    if (this.#threads === 0) this.#drained?.()
    this.#wake()
  }

  /** The next one that waits is synced; it may leave its place to the one after it. */
  #wake(): void {
    if (this.#threads >= this.#limit) return
    for (const [uid, pod] of this.#waiting) {
      this.#waiting.delete(uid)
      this.#floor.host.again(pod)
      return
    }
  }
}
