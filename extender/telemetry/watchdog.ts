import { Worker } from 'node:worker_threads'

/** Between two signs of life. */
const beatMs = 500
/** The watch ends the process after so many looks, one a second, in which there was no sign of life. */
const patience = 10

/** What the watching thread is given. */
export type Watched = {
  /** One number, which grows with each sign of life. */
  readonly beats: Int32Array<SharedArrayBuffer>
  readonly patience: number
}

/**
 * Ends the process when its event loop stands still for 10 s: it answers nobody, and the next life begins from the API.
 * That is sooner than a lease of 15 s runs out.
 */
export function watchEventLoop(): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerData: Watched = { beats, patience }
  new Worker(new URL('./watchdog-thread.ts', import.meta.url), { workerData, execArgv: [] }).unref()
  setInterval(() => Atomics.add(beats, 0, 1), beatMs).unref()
}
