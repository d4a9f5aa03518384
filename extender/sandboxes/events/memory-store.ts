import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import { type EventStore, rememberedMs } from './store.ts'

const mostKeys = 100_000

/** Lasts as long as the process: a restart forgets which events were told, and deliveries that were not made. */
export function memoryStore(clock: Clock): EventStore {
  // Resolution 0: the cache would keep the time with a timer of its own.
  const age = { ttl: rememberedMs, ttlResolution: 0, perf: { now: () => clock.now() } }
  const known = new LRUCache<string, true>({ max: mostKeys, ...age })
  // From the time on: a place that a reader has of an earlier process is then seen to be forgotten.
  const start = clock.wall()
  let sequence = start
  return {
    async restore() {
      return { sequence: start, events: [], deliveries: new Map(), disabled: [] }
    },
    async record({ key }) {
      if (known.has(key)) return undefined
      known.set(key, true)
      sequence += 1
      return sequence
    },
    async keep() {},
    async forget() {},
    async disable() {},
    problem: () => undefined,
    async close() {}
  }
}
