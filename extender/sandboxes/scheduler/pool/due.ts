import { nameOf } from './bodies.ts'
import type { PoolPod } from './pool-pod.ts'
import type { PoolKey } from './stock.ts'

export type PoolView = {
  readonly key: PoolKey
  readonly idle: readonly PoolPod[]
  /** Of all pods of the pool, also of those that sandboxes have; and names that others have. */
  readonly names: ReadonlySet<string>
  /** Names that are being made. */
  readonly underway: ReadonlySet<string>
  readonly size: number
  readonly make: string
  readonly now: number
}

/** What is to be done about a pool now; `until`: when to look again where nothing happens before. */
export type Due = {
  readonly missing: readonly number[]
  readonly broken: readonly PoolPod[]
  readonly surplus: readonly PoolPod[]
  /** All that there is to be stands ready. */
  readonly isFull: boolean
  readonly until: number
}

/** Those that disagree about a pool, as while a service is replaced, undo each other's work no faster than so. */
const settleMs = 30_000

/** Level-triggered: from what is there alone. Several that see the same come to the same. */
export function dueOf({ key, idle, names, underway, size, make, now }: PoolView): Due {
  const here = idle.filter(({ isLeaving }) => !isLeaving)
  const sound = here.filter(({ isBroken }) => !isBroken)
  const good = sound.filter(pod => pod.make === make)
  const extra = good.toSorted(leastReady).slice(0, Math.max(0, good.length - size))
  const goes = [...sound.filter(pod => pod.make !== make), ...extra]
  const young = goes.filter(pod => pod.createdAt + settleMs > now)
  return {
    missing: freeNumbers(key, new Set([...names, ...underway]), size - good.length - underway.size),
    broken: here.filter(({ isBroken }) => isBroken),
    surplus: goes.filter(pod => !young.includes(pod)),
    isFull: good.filter(({ isReady }) => isReady).length >= size,
    until: Math.min(...young.map(pod => pod.createdAt + settleMs))
  }
}

/** The lowest numbers whose names are free. */
function freeNumbers(key: PoolKey, taken: ReadonlySet<string>, count: number): readonly number[] {
  const numbers: number[] = []
  for (let number = 0; numbers.length < count; number++) if (!taken.has(nameOf(key, number))) numbers.push(number)
  return numbers
}

/** 1. What is not ready yet. 2. The last by name. */
const leastReady = (a: PoolPod, b: PoolPod): number =>
  Number(a.isReady) - Number(b.isReady) || (a.name < b.name ? 1 : -1)
