import type { Random } from '../../../clock.ts'
import type { Follower, Json } from '../ports.ts'
import type { Mould } from './bodies.ts'
import { type PoolPod, poolPodOf, type Way } from './pool-pod.ts'
import { Shelf } from './shelf.ts'

/** Which pool. */
export type PoolKey = { readonly way: Way; readonly template: string }

/** All pods that were made ahead of need, as the API server tells of them, with what this process has just written. */
export class Stock {
  readonly #random: Random
  readonly #shelves = new Map<string, { readonly key: PoolKey; readonly shelf: Shelf }>()
  #told: (key: PoolKey) => void = () => {}

  constructor(random: Random) {
    this.#random = random
  }

  /** `told` hears of every pool that changes. */
  onChange(told: (key: PoolKey) => void): void {
    this.#told = told
  }

  pools(): readonly PoolKey[] {
    return [...this.#shelves.values()].map(({ key }) => key)
  }

  shelf({ way, template }: PoolKey): Shelf {
    const name = `${way}/${template}`
    const known = this.#shelves.get(name)
    if (known) return known.shelf
    const shelf = new Shelf()
    this.#shelves.set(name, { key: { way, template }, shelf })
    return shelf
  }

  /** Takes a pod in, as an answer or a watch tells of it; undefined where it is none of a pool. */
  learn(json: Json): PoolPod | undefined {
    const pod = poolPodOf(json)
    if (pod && this.shelf(pod).put(pod)) this.#told(pod)
    return pod
  }

  drop(pod: PoolPod): void {
    this.shelf(pod).drop(pod.uid)
    this.#told(pod)
  }

  /** A ready pod for one request; it is settled, or dropped, in the end. */
  promise(mould: Mould): PoolPod | undefined {
    return this.shelf(mould).promise(mould.make, this.#random)
  }

  settle(pod: PoolPod): void {
    this.shelf(pod).settle(pod.uid)
    this.#told(pod)
  }

  follower(): Follower {
    return {
      replace: objects => {
        const listed = new Set(objects.map(each => this.learn(each)?.uid ?? ''))
        for (const { key, shelf } of this.#shelves.values()) {
          shelf.keepOnly(listed)
          this.#told(key)
        }
      },
      apply: (type, json) => {
        const pod = type === 'DELETED' ? poolPodOf(json) : this.learn(json)
        if (pod && type === 'DELETED') this.drop(pod)
      }
    }
  }
}
