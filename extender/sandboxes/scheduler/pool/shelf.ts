import { LRUCache } from 'lru-cache'
import { isOlder } from '../version.ts'
import type { PoolPod } from './pool-pod.ts'

const remembered = 1_000

/** The pods of one pool: those that nobody has, and the names of all. */
export class Shelf {
  readonly #idle = new Map<string, PoolPod>()
  readonly #names = new Map<string, string>()
  /** Uids of those that this process is about to give away. */
  readonly #promised = new Set<string>()
  /** Uids of some that are gone: the answer to a write may come after the end. */
  readonly #gone = new LRUCache<string, true>({ max: remembered })

  idle(): Iterable<PoolPod> {
    return this.#idle.values()
  }

  /** The names in use, also of pods that sandboxes have. */
  names(): ReadonlySet<string> {
    return new Set(this.#names.values())
  }

  isPromised(uid: string): boolean {
    return this.#promised.has(uid)
  }

  /** False where something newer is known. */
  put(pod: PoolPod): boolean {
    const known = this.#idle.get(pod.uid)
    if (known && isOlder(pod.version, known.version)) return false
    if (this.#gone.has(pod.uid)) return false
    // What a sandbox has it never gives back: an idle state of it is an old one.
    if (pod.isIdle && known === undefined && this.#names.has(pod.uid)) return false
    this.#names.set(pod.uid, pod.name)
    if (pod.isIdle) this.#idle.set(pod.uid, pod)
    else this.#idle.delete(pod.uid)
    return true
  }

  drop(uid: string): void {
    this.#idle.delete(uid)
    this.#names.delete(uid)
    this.#gone.set(uid, true)
  }

  /** One that is ready and made like that, and that nobody else of this process gets; any, so that others take others. */
  promise(make: string, random: () => number): PoolPod | undefined {
    const ready = [...this.#idle.values()].filter(pod => isOffered(pod, make) && !this.#promised.has(pod.uid))
    const pod = ready[Math.floor(random() * ready.length)]
    if (pod) this.#promised.add(pod.uid)
    return pod
  }

  settle(uid: string): void {
    this.#promised.delete(uid)
  }

  /** Those that the server has not listed are gone. */
  keepOnly(listed: ReadonlySet<string>): void {
    for (const uid of [...this.#names.keys()]) if (!listed.has(uid)) this.drop(uid)
  }
}

export const isOffered = (pod: PoolPod, make: string): boolean => pod.isReady && !pod.isLeaving && pod.make === make
