/** Time, as the parts of the shell get it: injected, so that a simulator can drive them. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. Deadlines and lifetimes use this. */
  now(): number
  /** Milliseconds since the epoch, for timestamps in API objects; never for deadlines. */
  wall(): number
  /** Runs `task` once after `ms`; the answer cancels it. Never keeps the process alive by itself. */
  after(ms: number, task: () => void): () => void
}

/** Uniform in [0, 1), for jitter. */
export type Random = () => number

/** What one timer can; a longer wait takes several. */
const longestMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, task) {
    let timer: NodeJS.Timeout
    const wait = (left: number): void => {
      timer = setTimeout(() => (left > longestMs ? wait(left - longestMs) : task()), Math.min(left, longestMs))
      timer.unref()
    }
    wait(ms)
    return () => clearTimeout(timer)
  }
}

/** Resolves after `ms`, or at once when the signal is aborted; never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal?.addEventListener('abort', done)
  })
}
