import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** A program and how to tell that it is up. */
export interface ProcessSpec {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly logFile: string
  /** Where it answers over HTTP, for those that tell something at /metrics. */
  readonly url?: string
  readonly env?: Readonly<Record<string, string>>
  /** Asked again and again until it answers true; an error means not yet. */
  readonly ready: () => Promise<boolean>
  /** Milliseconds until a start that is not ready counts as failed; default 60,000. */
  readonly startTimeout?: number
  /** Left running when this process ends (`npm run control-plane -- up`). */
  readonly outlives?: boolean
}

const longestLine = 400

let reaper: Writable | undefined

function tellReaper(line: string): void {
  if (reaper === undefined) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve('./reaper.ts'))], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true
    })
    child.unref()
    const input = child.stdin
    ;(input as Writable & { unref?: () => void }).unref?.()
    reaper = input
  }
  reaper.write(`${line}\n`)
}

/** Has a folder removed when this process ends, even when it crashes. */
export function removeAtEnd(folder: string): void {
  tellReaper(`folder ${folder}`)
}

/** A child process that tests start, stop, kill, freeze and start again; it never outlives this one unless told to. */
export class ManagedProcess {
  readonly spec: ProcessSpec
  #child: ChildProcess | undefined
  #exit: Promise<void> = Promise.resolve()

  constructor(spec: ProcessSpec) {
    this.spec = spec
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Starts it and waits until it is ready; a failure carries the end of its log. */
  async start(): Promise<this> {
    this.launch()
    await this.untilReady()
    return this
  }

  /** Starts it without waiting. */
  launch(): void {
    if (this.#child) throw new Error(`${this.spec.name} is running already`)
    const log = openSync(this.spec.logFile, 'a')
    // A group of its own keeps the terminal's Ctrl-C away from it: whoever started it ends it.
    const child = spawn(this.spec.command, this.spec.args, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...this.spec.env }
    })
    closeSync(log)
    this.#child = child
    this.#exit = new Promise(resolve => {
      child.once('error', () => resolve(this.#ended(child)))
      child.once('exit', () => resolve(this.#ended(child)))
    })
    if (this.spec.outlives) child.unref()
    else tellReaper(`+${child.pid}`)
  }

  /** Waits until a launched process is ready. */
  async untilReady(): Promise<void> {
    const deadline = performance.now() + (this.spec.startTimeout ?? 60_000)
    while (performance.now() < deadline) {
      if (!this.#child) throw this.#failure('ended before it was ready')
      if (await this.spec.ready().catch(() => false)) return
      await sleep(25)
    }
    throw this.#failure('is not ready in time')
  }

  /** Asks it to end and waits; after `within` milliseconds it is killed. */
  async stop(within = 10_000): Promise<void> {
    this.#signal('SIGTERM')
    const timer = setTimeout(() => this.#signal('SIGKILL'), within)
    await this.#exit
    clearTimeout(timer)
  }

  /** Ends it as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#exit
  }

  /** Ends it at once, from inside a callback that cannot wait. */
  killNow(): void {
    this.#signal('SIGKILL')
  }

  /** Freezes it: connections stay open and nothing answers. */
  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** The last lines that it wrote, each cut to a readable length. */
  tail(lines = 40): string {
    if (!existsSync(this.spec.logFile)) return '(never started)'
    const last = readFileSync(this.spec.logFile, 'utf8').trimEnd().split('\n').slice(-lines)
    return last.map(line => (line.length > longestLine ? `${line.slice(0, longestLine)}…` : line)).join('\n')
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (!this.spec.outlives && child.pid !== undefined) tellReaper(`-${child.pid}`)
  }

  #signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  #failure(what: string): Error {
    return new Error(`${this.spec.name} ${what}; the end of its log:\n${this.tail()}`)
  }
}
