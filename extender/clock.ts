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

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    timer.unref()
    return () => clearTimeout(timer)
  }
}
