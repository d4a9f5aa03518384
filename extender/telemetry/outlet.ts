import { writeSync } from 'node:fs'
import type { Counter } from 'prom-client'
import type { Clock } from '../clock.ts'

export type OutletParts = {
  /** A file, or a pipe or socket that does not block. */
  readonly fd: number
  readonly clock: Clock
  readonly lines: Counter<'result'>
  /** What waits for a slow reader is no more than so many bytes; default 1 MiB. */
  readonly mostBytes?: number
  /** How bytes are written; default `fs.writeSync`. */
  readonly write?: (fd: number, bytes: Uint8Array) => number
}

/** A reader that takes nothing is tried again so often. */
const againMs = 100
/** The last words wait so long for a reader, and no longer. */
const patienceMs = 500
const stepMs = 10

/**
 * Where lines go without anybody waiting for whoever reads them: what a pipe does not take now waits in a bounded
 * buffer, and where that is full, or the disk is, lines are dropped and counted.
 */
export class Outlet {
  readonly #parts: OutletParts
  readonly #write: (fd: number, bytes: Uint8Array) => number
  readonly #waiting: Buffer[] = []
  #bytes = 0
  #paused = false

  constructor(parts: OutletParts) {
    this.#parts = parts
    this.#write = parts.write ?? writeSync
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#bytes + bytes.length > (this.#parts.mostBytes ?? 2 ** 20)) {
      this.#parts.lines.inc({ result: 'dropped' })
      return
    }
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    if (!this.#paused) this.#drain()
  }

  /** Before the process ends: what waits is written now, as far as it is taken within a moment. */
  end(): void {
    for (let waitedMs = 0; this.#waiting.length > 0 && waitedMs <= patienceMs; waitedMs += stepMs) {
      if (waitedMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stepMs)
      this.#drain()
    }
  }

  #drain(): void {
    this.#paused = false
    for (;;) {
      const first = this.#waiting[0]
      if (!first) return
      const taken = this.#taken(first)
      if (taken === 'later') return this.#pause()
      if (taken !== 'never' && taken < first.length) {
        this.#waiting[0] = first.subarray(taken)
        this.#bytes -= taken
        continue
      }
      this.#parts.lines.inc({ result: taken === 'never' ? 'dropped' : 'written' })
      this.#waiting.shift()
      this.#bytes -= first.length
    }
  }

  #taken(bytes: Buffer): number | 'later' | 'never' {
    try {
      return this.#write(this.#parts.fd, bytes)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      return code === 'EAGAIN' ? 'later' : 'never'
    }
  }

  #pause(): void {
    this.#paused = true
    this.#parts.clock.after(againMs, () => {
      if (this.#paused) this.#drain()
    })
  }
}
